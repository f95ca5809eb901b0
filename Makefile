# Needs Python 3.11 or newer with venv, make and a shell; everything else comes from requirements.lock.
PYTHON   ?= python3
VENV     ?= .venv
HOME_DIR ?= var/demo
PORT     ?= 8000
PYTEST   ?=
BENCH    ?=
UV        = uv==0.13.9

BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP   := $(BIN)/python -m pip --quiet --disable-pip-version-check

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help install run test lint bench soak lock clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

install: $(STAMP) ## make .venv with the locked dependencies and this project
	@:

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed; '$(PYTHON)' is not. Try: make install PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) lacks venv or ensurepip. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

run: install ## load the republic's 2025 budget and serve it on PORT
	@QAZYNA_CLOCK=2024-12-31T09:00:00+05:00 \
	  $(BIN)/qazyna load deploy/mappings/kz-republic-2025.toml --home $(HOME_DIR)
	@QAZYNA_CLOCK=2025-02-18T09:00:00+05:00 \
	  $(BIN)/qazyna serve --home $(HOME_DIR) --port $(PORT)

test: install ## run the tests, a worker a core; PYTEST="-k name" picks some
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile \
	  --no-loadscope-reorder $(PYTEST)

lint: install ## style, types, and who may import whom
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "Run: $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/mypy --strict --no-error-summary ledger api projections
	@$(BIN)/lint-imports --no-logo
	@echo "lint: clean"

bench: install ## measure against PostgreSQL itself; BENCH="T1 profile" picks some
	@$(BIN)/python -c 'import psycopg, psycopg_pool' 2>/dev/null || \
	  $(PIP) install --require-hashes --requirement requirements-bench.lock
	@$(BIN)/python -m tests.bench $(BENCH)

soak: install ## random faults under load for SECONDS (an hour); the report lies in var/soak
	@$(BIN)/python -m tests.faults.soak $$(( $(or $(SECONDS),3600) / 2 ))
	@$(BIN)/python -m tests.machine.playing $$(( $(or $(SECONDS),3600) / 2 ))

lock: ## choose versions anew within pyproject.toml; UPGRADE=--upgrade takes the newest
	@test -x .venv-lock/bin/uv || $(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip --quiet --disable-pip-version-check install $(UV)
	@.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --extra dev --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	  $(UPGRADE) --output-file requirements.lock pyproject.toml
	@.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --group bench --constraint requirements.lock --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command 'make lock' $(UPGRADE) --output-file requirements-bench.lock
	@.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --constraint requirements.lock --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command 'make lock' $(UPGRADE) --output-file deploy/requirements.lock \
	  pyproject.toml

clean: ## remove what can be made again; var/ stays, because ledgers live there
	@rm -rf $(VENV) .venv-lock build dist .cache .hypothesis .import_linter_cache .mypy_cache \
	  .pytest_cache .ruff_cache .schemathesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
