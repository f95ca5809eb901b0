"""Settings of the service: environment variables with the prefix QAZYNA_, plus DATABASE_URL."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ledger.dates import from_iso

PROJECT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Where the ledger lives and how it is served; every field is an environment variable."""

    model_config = SettingsConfigDict(env_prefix="QAZYNA_", env_ignore_empty=True, extra="ignore")

    home: Path = Field(default=Path("var/qazyna"), description="folder of the embedded database")
    database_url: str | None = Field(
        default=None, validation_alias="DATABASE_URL",
        description="a PostgreSQL server instead of the embedded one",
    )  # fmt: skip
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    jurisdiction: str = Field(
        default="kz", description="adopted by an empty ledger: a name below deploy/jurisdictions"
    )
    clock: str | None = Field(
        default=None,
        description="trial clock: ISO 8601 moment at which a trial ledger's clock starts; "
        "it stays the ledger's until QAZYNA_CLOCK=system",
    )
    notary_key: Path | None = Field(
        default=None, description="key file of the notary; <home>/notary.key, made at first start"
    )
    origin: str | None = Field(
        default=None, description="name of this log in its checkpoints, a URL without its scheme;"
        " given once, with the first key",
    )  # fmt: skip
    witnesses: Path | None = Field(
        default=None, description="policy file (C2SP tlog-policy): the witnesses that cosign the"
        " checkpoints, and the quorum that a checkpoint needs",
    )  # fmt: skip
    queue_commands_max: int = Field(default=20_000, ge=1, description="most waiting commands")
    log_level: str = Field(default="INFO", description="least severe log messages shown")

    @field_validator("database_url")
    @classmethod
    def _is_server(cls, text: str | None) -> str | None:
        """Refuse what names no PostgreSQL server, before anything waits for it."""
        if text is not None and urlsplit(text).scheme not in {"postgresql", "postgres"}:
            raise ValueError("a server's address begins with postgresql://")
        return text

    @field_validator("clock")
    @classmethod
    def _is_moment(cls, text: str | None) -> str | None:
        """Refuse a trial clock that is no moment, before anything is started."""
        if text not in (None, "system"):
            from_iso(text)
        return text

    @field_validator("log_level")
    @classmethod
    def _is_level(cls, text: str) -> str:
        """Refuse a level that logging does not have."""
        if text.upper() not in logging.getLevelNamesMapping():
            raise ValueError(f"{text} is no level such as INFO")
        return text
