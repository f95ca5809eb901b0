"""A real PostgreSQL for the library's tests; each test gets a ledger in a database of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from ledger.library import LibraryApplication
from ledger.store.embedded import EmbeddedPostgres
from tests.library.live import Live, started


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(Path(tmp_path_factory.mktemp("library")), fsync=False) as server:
        yield server


@pytest_asyncio.fixture
async def live(server: EmbeddedPostgres) -> AsyncIterator[Live]:
    """An open ledger with Kazakhstan's rules, nothing else."""
    name = f"library_{uuid4().hex}"
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        async with started(server.dsn(name)) as ledger:
            yield ledger
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


@pytest_asyncio.fixture
async def app(live: Live) -> AsyncIterator[LibraryApplication]:
    """The unmodified library over the live ledger."""
    application = await asyncio.to_thread(LibraryApplication, live.dsn)
    yield application
    await asyncio.to_thread(application.close)
