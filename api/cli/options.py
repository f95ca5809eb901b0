"""Options that several commands share, and the settings they make."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.settings import Settings

Home = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", show_default=False,
                 help="Folder of the ledger [QAZYNA_HOME, else var/qazyna]; "
                      "DATABASE_URL names a server instead"),
]  # fmt: skip
Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", show_default=False,
                 help="Ask a running service instead of the ledger of --home"),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Write JSON; errors as a problem object")]
Budget = Annotated[
    str | None, typer.Option("--budget", metavar="CODE", show_default=False, help="One budget only")
]

Atomic = Annotated[bool, typer.Option(
    "--atomic", help="Post everything or, if anything is bad or refused, nothing")]  # fmt: skip
RetryRefused = Annotated[bool, typer.Option(
    "--retry-refused", help="Ask again what was refused at an earlier load")]  # fmt: skip


def settings_of(home: Path | None) -> Settings:
    """Return the settings of the environment, with the home that was named."""
    return Settings(home=home) if home is not None else Settings()
