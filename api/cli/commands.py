"""The list of commands; only the module of the one that is asked for is imported.

So `load` does not wait for the web framework.
"""

from __future__ import annotations

from importlib import import_module

import typer

from api.cli.outcome import EPILOG

COMMANDS = {
    "serve": "serving:serve",
    "load": "posting:load_files",
    "post": "posting:post",
    "receipt": "receipts:receipts",
    "erase": "privacy:erase",
    "annex": "privacy:annex",
    "report": "reports:reports",
    "history": "trail:history",
    "export": "reading:exports",
    "evidence": "evidence:bundles",
    "verify": "evidence:verify",
    "audit": "audit:audit",
    "checkpoint": "proofs:checkpoint",
    "proof": "proofs:proof",
    "consistency": "proofs:consistency",
    "keys": "proofs:keys",
    "replay": "upkeep:replay",
    "check": "upkeep:check",
    "rebuild": "upkeep:rebuild",
    "migrate": "upkeep:migrate",
    "witness": "witness:witness",
    "policy": "policy:policy",
    "version": "upkeep:version",
}
"""Each command and the function behind it: `module:name` below `api.cli`."""


def build(asked: str | None) -> typer.Typer:
    """Return the program with one command, or with all where the asked one is none of them."""
    app = typer.Typer(
        name="qazyna", help="An event-sourced public budget ledger.", epilog=EPILOG,
        no_args_is_help=True, add_completion=False, rich_markup_mode=None,
        pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip
    app.callback()(_program)
    for name in [asked] if asked in COMMANDS else list(COMMANDS):
        module, _, attribute = COMMANDS[name].partition(":")
        found = getattr(import_module(f"api.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, epilog=EPILOG)
        else:
            app.command(name, epilog=EPILOG)(found)
    return app


def _program() -> None:
    """An event-sourced public budget ledger."""
