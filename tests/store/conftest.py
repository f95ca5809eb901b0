"""A fresh database a test, copied from a template."""

import itertools

import asyncpg
import pytest

from ledger.service import Ledger
from ledger.store.migrate import migrate
from tests.store.world import Clock, found

_numbers = itertools.count(1)


async def create(server, template: str | None = None) -> str:
    """Create a database; return its name."""
    name = f"t{next(_numbers)}"
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        copied = f"TEMPLATE {template}" if template else "TEMPLATE template0"
        await connection.execute(f"CREATE DATABASE {name} {copied}")
    finally:
        await connection.close()
    return name


@pytest.fixture
async def empty(server):
    """The DSN of a database without a schema."""
    return server.dsn(await create(server))


@pytest.fixture(scope="session")
async def migrated_template(server):
    name = await create(server)
    await migrate(server.dsn(name))
    return name


@pytest.fixture(scope="session")
async def world_template(server, migrated_template):
    name = await create(server, migrated_template)
    async with Ledger(server.dsn(name), clock=Clock()) as ledger:
        await found(ledger)
    return name


@pytest.fixture
async def migrated(server, migrated_template):
    """The DSN of a database with the schema and no event."""
    return server.dsn(await create(server, migrated_template))


@pytest.fixture
async def dsn(server, world_template):
    """The DSN of a database with five funded budgets."""
    return server.dsn(await create(server, world_template))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def ledger(dsn, clock):
    """A ledger over the five budgets."""
    async with Ledger(dsn, clock=clock) as opened:
        yield opened
