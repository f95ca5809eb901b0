"""The source tables, and a template of a migrated database that ledgers are copied from."""

import os
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrate import migrate
from tests.acceptance.book import ROOT, opened


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of source tables: QAZYNA_DATA or the one beside the project."""
    folder = Path(os.environ.get("QAZYNA_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.fail(f"the source tables are missing: {folder} is no folder; set QAZYNA_DATA")
    return folder


@pytest.fixture(scope="session")
async def new_book(server: EmbeddedPostgres) -> Callable:
    """A context manager of (jurisdiction, day): a new ledger with every real part around it."""
    connection = await asyncpg.connect(server.dsn("postgres"))
    await connection.execute("CREATE DATABASE acceptance TEMPLATE template0")
    await connection.close()
    await migrate(server.dsn("acceptance"))
    return lambda jurisdiction, day: opened(server, "acceptance", jurisdiction, day)
