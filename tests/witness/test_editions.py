"""A published checkpoint is never changed: more signatures make its next edition."""

from collections.abc import AsyncIterator
from itertools import count

import asyncpg
import pytest

from ledger.store.embedded import EmbeddedPostgres
from ledger.store.evidence import Evidence
from ledger.store.migrate import migrate
from ledger.store.pool import Database
from ledger.store.sql import sql

NUMBERS = count(1)
PUBLISH = sql("queries/publish_checkpoint")


@pytest.fixture
async def database(server: EmbeddedPostgres) -> AsyncIterator[Database]:
    name = f"editions{next(NUMBERS)}"
    connection = await asyncpg.connect(server.dsn("postgres"))
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    await connection.close()
    await migrate(server.dsn(name))
    made = Database(server.dsn(name))
    await made.open(size=1)
    yield made
    await made.close()


async def test_a_checkpoint_only_gains_signatures(database: Database) -> None:
    evidence = Evidence(database)
    async with database.connect("projector") as connection:
        for size in (5, 7):
            head = [[], [], [], [], size, bytes(32), size]
            await connection.execute(sql("queries/grow_tree"), *head)
            await connection.execute(PUBLISH, size, b"note\n", False, 1)  # noqa: FBT003
        await connection.execute(PUBLISH, 5, b"note\nline\n", True, 2)  # noqa: FBT003
        for note, witnessed in (
            (b"note\nline\n", True), (b"note\n", True), (b"eton\nline\nmore\n", True),
            (b"note\nline\nmore\n", False),
        ):  # fmt: skip
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="only gains"):
                await connection.execute(PUBLISH, 5, note, witnessed, 3)
        await connection.execute(PUBLISH, 5, b"note\nline\nmore\n", True, 4)  # noqa: FBT003
    found = await evidence.checkpoint(5)
    assert (found.note, found.witnessed, found.made_at) == (b"note\nline\nmore\n", True, 4)
    assert [(one.size, one.witnessed) for one in await evidence.checkpoints()] == [
        (5, True), (7, False),
    ]  # fmt: skip
    assert (await evidence.checkpoint()).size == 7
