"""A new database for each test, a clock that tests set."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import pytest

from ledger.dates import from_iso
from ledger.service import Ledger
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrate import migrate
from projections.runner import Runner

ROOT = Path(__file__).parents[2]
SPACE = UUID("0199a000-0000-7000-8000-000000000000")
NUMBERS = count(1)


def json_types(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: json_types(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_types(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def jurisdiction() -> dict[str, Any]:
    return json_types(tomllib.loads((ROOT / "deploy/jurisdictions/kz.toml").read_text()))


class Book:
    """A running ledger with projections under a clock that stands where a test puts it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.now = from_iso("2024-01-01T05:00:00Z")
        self.ledger = Ledger(dsn, clock=lambda: self.now)
        self.runner = Runner(self.ledger.database, self.ledger.sequencer)
        self.ids = count(1)

    def day(self, day: str) -> None:
        self.now = max(self.now + 1, from_iso(f"{day}T05:00:00Z"))

    def document(self, command: str, budget: str, act: str, **fields: Any) -> dict[str, Any]:
        content = {
            "command": command,
            "budget": budget,
            "actor": {"id": "u1", "capacity": fields.pop("capacity", "treasury")},
            "act": {"id": f"act of {act}", "date": act},
        }
        content["command_id"] = str(fields.pop("id", None) or uuid5(SPACE, str(next(self.ids))))
        return {**content, **fields}

    async def post(self, command: str, budget: str, day: str, **fields: Any) -> Any:
        self.day(day)
        document = self.document(command, budget, day, **fields)
        answer = (await self.ledger.submit([self.ledger.read(document)]))[0]
        await self.published()
        return answer

    async def published(self) -> None:
        """Wait for the sequencer: the clock must not move before a step has its time."""
        while await self.admin(  # noqa: ASYNC110 - the database has no event to wait for
            "SELECT FROM ledger.heads AS h LEFT JOIN ledger.sequenced AS s USING (region, log)"
            " WHERE h.position > coalesce(s.position, 0)"
        ):
            await asyncio.sleep(0.002)

    async def accept(self, command: str, budget: str, day: str, **fields: Any) -> Any:
        answer = await self.post(command, budget, day, **fields)
        assert getattr(answer, "status", None) == "accepted", answer
        return answer

    async def applied(self, budget: str | None = None) -> int:
        """Wait until every projection has everything; return the sequence."""
        last = 0
        for found in await self.ledger.budgets():
            if budget in (None, found["code"]):
                last = max(last, await self.runner.wait_for(found["code"], found["position"], 20))
        return last

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Any]:
        async with self.ledger.database.connect("reader") as connection:
            yield connection

    async def admin(self, statement: str, *arguments: Any) -> Any:
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
async def template(server: EmbeddedPostgres) -> str:
    await _sql(server.dsn(), "CREATE DATABASE projections_template")
    await migrate(server.dsn("projections_template"))
    return "projections_template"


@pytest.fixture
async def dsn(server: EmbeddedPostgres, template: str) -> str:
    name = f"projections_{next(NUMBERS)}"
    await _sql(server.dsn(), f"CREATE DATABASE {name} TEMPLATE {template}")
    await _sql(server.dsn(), f"GRANT CREATE ON DATABASE {name} TO qazyna_owner, qazyna_projector")
    return server.dsn(name)


@pytest.fixture
async def book(dsn: str) -> AsyncIterator[Book]:
    book = Book(dsn)
    async with book.ledger:
        await book.accept(
            "AdoptJurisdiction",
            "rulebook",
            "2024-01-01",
            jurisdiction=jurisdiction(),
            effective_from="2024-01-01",
        )
        await book.runner.start()
        yield book
        await book.runner.stop()


async def _sql(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
