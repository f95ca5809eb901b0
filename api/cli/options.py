"""Options that several commands share, and the settings they make."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from api.settings import Settings
from ledger.errors import Invalid

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


def settings_of(home: Path | None) -> Settings:
    """Return the settings of the environment, with the home that was named."""
    return Settings(home=home) if home is not None else Settings()


def day(text: str | None, option: str) -> date | None:
    """Read a day. Raises `Invalid` naming the option."""
    if text is None:
        return None
    try:
        if len(text) != len("2025-01-01"):
            raise ValueError  # noqa: TRY301 - one message for every way to be no day
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{option}: {text!r} is not a day such as 2025-03-31") from None
