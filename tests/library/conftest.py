"""Each test of the library gets a ledger in a database of its own."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest_asyncio

from ledger.library import LibraryApplication
from ledger.store.embedded import EmbeddedPostgres
from tests.library.live import Live, started


@pytest_asyncio.fixture
async def live(server: EmbeddedPostgres) -> AsyncIterator[Live]:
    """An open ledger with Kazakhstan's rules, nothing else."""
    name = f"library_{uuid4().hex}"
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    async with started(server.dsn(name)) as ledger:
        yield ledger


@pytest_asyncio.fixture
async def app(live: Live) -> AsyncIterator[LibraryApplication]:
    """The unmodified library over the live ledger."""
    application = await asyncio.to_thread(LibraryApplication, live.dsn)
    yield application
    await asyncio.to_thread(application.close)
