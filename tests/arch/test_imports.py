"""Who may import whom: the contracts in pyproject.toml hold, and each of them refuses a breach."""

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("ledger", "api", "projections")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
# contract, the module that breaks it, what that module imports
BREACHES = [
    ("parts", "ledger.errors", "api"),
    ("parts", "projections.runner", "api.app"),
    ("ledger", "ledger.errors", "ledger.money"),
    ("ledger", "ledger.cells", "ledger.instruments.payments"),
    ("ledger", "ledger.events", "ledger.store.append"),
    ("ledger", "ledger.a_module_that_no_layer_names", "ledger.errors"),
    ("instruments", "ledger.instruments.payments", "ledger.instruments.approval"),
    ("projections", "projections.audit_trail.fold", "projections.budget_execution.fold"),
    ("domain", "ledger.cells", "asyncpg"),
    ("domain", "ledger.instruments.payments", "eventsourcing.domain"),
    ("domain", "ledger.jurisdiction", "fastapi"),
    ("domain", "ledger.dates", "time"),
    ("domain", "ledger.proofs.merkle", "random"),
    ("proofs", "ledger.proofs.verify", "ledger.errors"),
]


def _lint(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _module(folder: Path, name: str) -> Path:
    """The file of a module, made with its packages where it is missing."""
    *packages, last = name.split(".")
    for depth in range(1, len(packages) + 1):
        package = folder.joinpath(*packages[:depth])
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
    path = folder.joinpath(*packages, last)
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    path.touch()
    return path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The three packages and their contracts, to be broken."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    return tmp_path


def test_the_contracts_hold() -> None:
    result = _lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("contract", "importer", "imported"), BREACHES)
def test_a_breach_is_refused(copy: Path, contract: str, importer: str, imported: str) -> None:
    if imported.split(".", maxsplit=1)[0] in PACKAGES:
        _module(copy, imported)
    with _module(copy, importer).open("a") as file:
        file.write(f"\nimport {imported}\n")
    result = _lint(copy, "--contract", contract)
    name = next(c["name"] for c in CONTRACTS["contracts"] if c["id"] == contract)
    assert result.returncode == 1
    assert f"{name} BROKEN" in " ".join(result.stdout.split()), result.stdout + result.stderr


def test_each_contract_has_a_breach() -> None:
    assert {c["id"] for c in CONTRACTS["contracts"]} == {contract for contract, *_ in BREACHES}


def test_the_oracle_knows_nothing_of_the_ledger() -> None:
    for path in (ROOT / "tests" / "oracle").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [n for n in names if n.split(".")[0] in PACKAGES], path
