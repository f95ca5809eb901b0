"""A ledger with every real part: loader, projections and the HTTP interface in this process.

Questions go through HTTP, their answers are kept as bytes; figures are compared with a fold of
the events that knows nothing of the projections.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson

from api.app import create_app
from api.assembly import Running, running
from api.doors import HttpDoor, LedgerDoor
from api.load import LoadReport, default_files, load, read_mapping
from api.settings import Settings
from ledger.dates import from_iso
from ledger.personal import personal_places
from ledger.store.checks import check
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.replay import replay
from ledger.store.rows import CELL_MEASURES, key_text
from ledger.store.sql import sql
from ledger.terms import PERSONAL
from projections.rebuild import rebuild
from projections.registry import NAMES

ROOT = Path(__file__).parents[2]
MAPPINGS = ROOT / "deploy" / "mappings"
MEASURES = ("approved", "amended", "adjusted", "plan_payments", "executed")
FOLDED = ("approved", "amended", "adjusted", "accepted", "executed")
"""Measures whose figure on a day is the plain sum of what counts from that day or before."""
NUMBERS = count(1)
Question = tuple[str, dict[str, Any]]
Line = tuple[str, ...]


class Clock:
    """The ledger's clock: it stands where a test puts it, so two ledgers record alike."""

    def __init__(self, moment: str) -> None:
        self.now = 0
        self.set(moment)

    def set(self, moment: str) -> None:
        """Move the clock, to noon in Almaty where only a day is given."""
        self.now = from_iso(moment if len(moment) > 10 else f"{moment}T12:00:00+05:00")

    def __call__(self) -> int:
        return self.now


def thousand(text: str) -> Decimal:
    """An amount of the wire in the thousands that the tables are printed in."""
    return Decimal(text) / 1000


@dataclass
class Book:
    """A running ledger as the loader and a client see it."""

    parts: Running
    client: httpx.AsyncClient
    clock: Clock
    noted: dict[str, Any] = field(default_factory=dict)

    async def load(
        self, name: str, *files: Path, remote: bool = False, **options: bool
    ) -> LoadReport:
        """Load files by one of the project's mappings, in this process or through HTTP."""
        path = MAPPINGS / f"{name}.toml"
        mapping = read_mapping(path)
        door = HttpDoor(self.client) if remote else LedgerDoor(self.parts)
        return await load(mapping, files or default_files(mapping, path), door, **options)

    async def post(self, document: dict[str, Any]) -> httpx.Response:
        """Post one command and wait until it is published and shown."""
        answer = await self.client.post("/v1/commands", json=document)
        await self.applied()
        return answer

    async def applied(self) -> int:
        """Wait until every projection shows everything; return the sequence."""
        heads = await self.parts.ledger.budgets()
        return max([await self.parts.runner.wait_for(head["code"], head["position"], 30)
                    for head in heads])  # fmt: skip

    async def get(self, path: str, **asked: Any) -> bytes:
        """Ask a question after everything was applied; return the answer's bytes."""
        await self.applied()
        answer = await self.client.get(f"/v1/{path}", params=asked)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def ask(self, path: str, **asked: Any) -> dict[str, Any]:
        """Ask a question; return the answer."""
        return orjson.loads(await self.get(path, **asked))

    async def execution(self, budget: str, **asked: Any) -> dict[Line, dict[str, Any]]:
        """Return the rows of the execution report by their lines."""
        found = await self.ask(f"budgets/{budget}/execution", **asked)
        return {tuple(row["line"]): row for row in found["rows"]}

    async def heads(self) -> dict[str, tuple[int, str]]:
        """Return position and chain hash of every log."""
        return {head["code"]: (head["position"], head["hash"].hex())
                for head in await self.parts.ledger.budgets()}  # fmt: skip

    async def bodies(self) -> list[tuple[int, str, int, bytes]]:
        """Return every stored event: sequence, budget, position and bytes."""
        await self.applied()
        found: list[Any] = []
        while page := await self.parts.ledger.events(found[-1].sequence if found else 0, 5000):
            found += page
        return [(event.sequence, event.budget, event.position, event.body) for event in found]

    async def events(self, kind: str) -> list[tuple[str, Any]]:
        """Return the budget and the event of every event of a kind."""
        await self.applied()
        found, after = [], 0
        while page := await self.parts.ledger.events(after, 5000):
            after = page[-1].sequence
            found += [(stored.budget, stored.event()) for stored in page if stored.kind == kind]
        return found

    async def folded(
        self, budget: str, effective: date, *, adopted: date = date.max, known: int = 2**62
    ) -> dict[Line, list[Decimal]]:
        """Sum the movements of each line, read from the events alone, in units of currency."""
        found: dict[Line, list[int]] = {}
        after, digits = 0, self.parts.ledger.digits
        while page := await self.parts.ledger.events(after, 5000):
            after = page[-1].sequence
            for stored in page:
                movement = stored.event().movement()
                if stored.budget != budget or not movement.line or stored.sequence > known:
                    continue
                if movement.counts_from > effective or movement.adopted_on > adopted:
                    continue
                sums = found.setdefault(movement.line, [0] * len(FOLDED))
                for place, name in enumerate(FOLDED):
                    sums[place] += movement.amounts.get(name, 0)
        return {line: [Decimal(minor).scaleb(-digits) for minor in sums]
                for line, sums in found.items()}  # fmt: skip

    async def assert_folds(self, budget: str, effective: date, **asked: Any) -> None:
        """Assert that the report of a day says what the events sum up to, line by line."""
        rows = await self.execution(budget, effective=effective, **asked)
        shown = {line: [Decimal(row[name]) for name in FOLDED] for line, row in rows.items()}
        folded = await self.folded(budget, effective, **asked)
        assert {line: sums for line, sums in shown.items() if any(sums)} == {
            line: sums for line, sums in folded.items() if any(sums)
        }


@asynccontextmanager
async def opened(
    server: EmbeddedPostgres, template: str, jurisdiction: str, day: str
) -> AsyncIterator[Book]:
    """Open a new ledger with its projections and its HTTP interface."""
    name = f"{template}_{next(NUMBERS)}"
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    await admin.close()
    clock = Clock(day)
    settings = Settings(DATABASE_URL=server.dsn(name), home=server.home.with_name(name))
    async with running(settings, clock=clock, jurisdiction=jurisdiction) as parts:
        app = create_app(settings, parts=parts)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://book", timeout=60) as client,
        ):
            book = Book(parts, client, clock)
            yield book
            for sequence, _, _, body in await book.bodies():
                assert list(personal_places(orjson.loads(body), PERSONAL)) == [], sequence


async def assert_rebuilt_alike(book: Book, questions: list[Question]) -> None:
    """Ask, rebuild every projection from zero, ask again: the same bytes."""
    before = [await book.get(path, **asked) for path, asked in questions]
    for name in NAMES:
        report = await rebuild(book.parts.ledger.database, name)
        assert (report.name, report.swapped, report.differences) == (name, True, ())
        assert report.events > 0
    after = [await book.get(path, **asked) for path, asked in questions]
    assert len(set(before)) > 1
    for question, one, other in zip(questions, before, after, strict=True):
        assert one == other, question


async def assert_replayed_alike(book: Book) -> None:
    """Decide the whole history again: no finding, the same heads, the same cells byte for byte."""
    await book.applied()
    report = await replay(book.parts.dsn)
    assert [str(found) for found in report.findings] == []
    heads = await book.parts.ledger.budgets()
    assert report.events == report.last_sequence == sum(head["position"] for head in heads)
    assert report.heads == {head["code"]: head["hash"].hex() for head in heads}
    stored = await stored_cells(book, report.cells.keys())
    computed = {
        (code, key[0], key_text(key)): (
            cell.number, *(cell.total(name) for name in CELL_MEASURES), cell.encode())
        for code, cells in report.cells.items() for key, cell in cells.items()
        if key[0] != "payment" or cell.facts.get("returned")
    }  # fmt: skip
    assert stored == computed
    assert await check(book.parts.dsn) == []


async def stored_cells(book: Book, budgets: Any) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """Return the columns and the bytes of every stored cell of these budgets."""
    found = {}
    async with book.parts.ledger.database.connect("reader") as connection:
        heads = {row["code"]: row for row in await connection.fetch(sql("queries/all_heads"))}
        assert heads.keys() == set(budgets)
        for code, head in heads.items():
            for row in await connection.fetch(
                sql("queries/check_cells"), [head["region"]], [head["log"]]
            ):
                place = (code, row["kind"], row["key"])
                found[place] = (row["number"], *(row[name] for name in CELL_MEASURES),
                                row["content"])  # fmt: skip
    return found
