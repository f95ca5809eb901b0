"""Settings of the service: environment variables with the prefix QAZYNA_, plus DATABASE_URL."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Where the ledger lives and how it is served; every field is an environment variable."""

    model_config = SettingsConfigDict(env_prefix="QAZYNA_", extra="ignore")

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
        description="trial clock: ISO 8601 moment at which a trial ledger's clock starts",
    )
    queue_commands_max: int = Field(default=20_000, ge=1, description="most waiting commands")
    log_level: str = Field(default="INFO", description="least severe log messages shown")
