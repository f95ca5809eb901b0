"""T6 and `entries`: ours ÷ the library's own recorder, ÷ double entry written by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from ledger.events import Command
from ledger.service import Ledger
from tests.bench import limits
from tests.bench.appending import CALLERS
from tests.bench.country import Country, documents, read_all
from tests.bench.driving import Drive, drive
from tests.bench.ground import Ground, clock
from tests.bench.rivals import DoubleEntry, StockRecorder
from tests.bench.table import Row, compared
from tests.store.world import sequenced

BATCH = 512
IN_FLIGHT = 2
"""Requests of `BATCH` commands that wait at the same time, as the rivals' connections do."""
SECONDS = 2.0
FEW = 400
"""Commands of one caller alone."""


async def in_batches(ledger: Ledger, commands: Sequence[Command]) -> Drive:
    """Submit commands in requests of `BATCH`, a few at a time; all must be accepted."""
    found = Drive()
    parts = iter([commands[n : n + BATCH] for n in range(0, len(commands), BATCH)])

    async def caller() -> None:
        for part in parts:
            began = time.perf_counter()
            answers = await ledger.submit(part)
            found.latencies += [time.perf_counter() - began] * len(part)
            if any(getattr(answer, "status", None) != "accepted" for answer in answers):
                raise RuntimeError("a command of a batch was not accepted")
            found.events += sum(answer.events for answer in answers)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    found.seconds = time.perf_counter() - began
    return found


class _Ours:
    """Rounds of our traffic, each with new seeds; leaves no backlog to the next measurement."""

    def __init__(self, ground: Ground, ledger: Ledger, country: Country) -> None:
        """Take where to post."""
        self.ground, self.ledger, self.country = ground, ledger, country
        self.seed = 0

    async def post(self, callers: int, *, transfers: float = 0.0) -> Drive:
        """Post a round from so many callers; 0 callers means in batches."""
        self.seed += 1
        many = FEW if callers == 1 else self.ground.events // (1 if callers in (0, CALLERS) else 4)
        asked = read_all(self.ledger, documents(self.country, many, self.seed, transfers=transfers))
        driven = (
            await drive(self.ledger, asked, callers)
            if callers
            else await in_batches(self.ledger, asked)
        )
        await sequenced(self.ledger, 120)
        return driven


async def t6(ground: Ground) -> list[Row]:
    """Append ÷ the stock `PostgresApplicationRecorder`: threads of batch 1, one alone, batches.

    Our T1 traffic, decided, chained and checked, against rows of the same bodies without any of
    that. The mark is for 256 callers against 8 threads: the recorder serialises its writers by a
    table lock, so more threads only wait longer.
    """
    found: dict[str, list[tuple[float, float]]] = {"many": [], "eight": [], "one": [], "batch": []}
    async with ground.country() as (dsn, country), Ledger(dsn, clock=clock) as ledger:
        ours = _Ours(ground, ledger, country)
        await ours.post(CALLERS)
        stock = await asyncio.to_thread(
            StockRecorder, ground.server, dsn, await limits.typical_body(dsn)
        )
        try:
            await stock.rate(1.0)
            for _ in range(ground.rounds):
                eight = await stock.rate(SECONDS)
                found["many"].append(((await ours.post(CALLERS)).rate, eight))
                found["eight"].append(((await ours.post(8)).rate, eight))
                alone = await stock.rate(1.0, threads=1)
                found["one"].append(((await ours.post(1)).rate, alone))
                batched = await stock.rate(SECONDS, threads=IN_FLIGHT, batch=BATCH)
                found["batch"].append(((await ours.post(0)).rate, batched))
        finally:
            await asyncio.to_thread(stock.close)
    name = f"stock PostgresApplicationRecorder (psycopg {stock.driver})"
    return [
        compared("T6", f"append, {CALLERS} callers ÷ {name}, batch 1, 8 threads", "events/s",
                 found["many"], must=20, aim=50),
        compared("T6", "  8 callers ÷ 8 threads, batch 1", "events/s", found["eight"]),
        compared("T6", "  1 caller ÷ 1 thread, batch 1", "events/s", found["one"]),
        compared("T6", f"  requests of {BATCH} commands ÷ inserts of {BATCH} events, {IN_FLIGHT} "
                 "in flight", "events/s", found["batch"]),
    ]  # fmt: skip


async def entries(ground: Ground) -> list[Row]:
    """Postings ÷ transfers of a double-entry function, one a transaction and in batches.

    One posting of ours is one command (a payment moves a line with its ancestors, a contract and
    the cash); one of theirs is two entries and two balances.
    """
    found: dict[str, list[tuple[float, float]]] = {"many": [], "two": [], "one": [], "batch": []}
    async with ground.country() as (dsn, country), Ledger(dsn, clock=clock) as ledger:
        ours, theirs = _Ours(ground, ledger, country), DoubleEntry(dsn, ground.server.home)
        await theirs.make()
        await ours.post(CALLERS)
        await theirs.rate(1.0, clients=limits.CLIENTS)
        for _ in range(ground.rounds):
            many = await theirs.rate(SECONDS, clients=limits.CLIENTS)
            found["many"].append(((await ours.post(CALLERS)).postings, many))
            found["two"].append(((await ours.post(CALLERS, transfers=1.0)).postings, many))
            one = await theirs.rate(1.0, clients=1)
            found["one"].append(((await ours.post(1)).postings, one))
            batch = await theirs.batched(ground.events, batch=BATCH, connections=IN_FLIGHT)
            found["batch"].append(((await ours.post(0)).postings, batch))
    name = "a double-entry function in PL/pgSQL"
    return [
        compared("entries", f"postings, {CALLERS} callers ÷ {name}, pgbench -c {limits.CLIENTS}",
                 "postings/s", found["many"]),
        compared("entries", "  transfers between two budgets ÷ the same", "postings/s",
                 found["two"]),
        compared("entries", "  1 caller ÷ 1 client", "postings/s", found["one"]),
        compared("entries", f"  requests of {BATCH} ÷ calls of {BATCH} transfers, {IN_FLIGHT} in "
                 "flight", "postings/s", found["batch"]),
    ]  # fmt: skip
