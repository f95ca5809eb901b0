"""T11 and T13: how soon a posting is in a report, and what a swap does to readers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from statistics import median

from ledger.events import Command
from ledger.service import Ledger
from projections import budget_execution
from projections.rebuild import rebuild
from projections.runner import Runner
from tests.bench.country import Country, documents, read_all
from tests.bench.driving import drive, paced
from tests.bench.ground import Ground, clock
from tests.bench.table import Row, quantile

NAME = "budget_execution"
PACED_SECONDS = 4.0
READERS, PAUSE_SECONDS, ALONE_SECONDS = 4, 0.005, 2.5
POSTINGS_PER_SECOND = 100.0


@asynccontextmanager
async def _followed(dsn: str) -> AsyncIterator[tuple[Ledger, Runner]]:
    """A ledger whose projections have applied everything."""
    async with Ledger(dsn, clock=clock) as ledger:
        runner = Runner(ledger.database, ledger.sequencer)
        await runner.start()
        try:
            await _level(ledger, runner)
            yield ledger, runner
        finally:
            await runner.stop()


async def _level(ledger: Ledger, runner: Runner) -> None:
    """Wait until everything is sequenced and every projection has applied it."""
    for _ in range(6000):
        async with ledger.database.connect("reader") as connection:
            wanted = await connection.fetchval("SELECT sum(position)::bigint FROM ledger.heads")
        if await runner.sequence() >= wanted:
            return
        await asyncio.sleep(0.02)
    raise TimeoutError("the projections do not follow")


async def _visible(
    ledger: Ledger, runner: Runner, commands: Sequence[Command], rate: float
) -> tuple[list[float], list[float]]:
    """Seconds from commit to visible, and of the commit itself, for postings at a steady rate."""
    seen: list[float] = []
    committed: list[float] = []
    began = time.perf_counter()

    async def one(asked: Command) -> None:
        sent = time.perf_counter()
        [answer] = await ledger.submit([asked])
        done = time.perf_counter()
        last = answer.position + answer.events - 1
        await runner.wait_for(answer.budget, last, 30, projection=NAME)
        seen.append(time.perf_counter() - done)
        committed.append(done - sent)

    async with asyncio.TaskGroup() as tasks:
        for n, asked in enumerate(commands):
            wait = began + n / rate - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            tasks.create_task(one(asked))
    return seen, committed


async def t11(ground: Ground) -> list[Row]:
    """p99 of commit → visible to a reader with `at_least`, at 10 % and 20 % of the append rate."""
    found: dict[float, list[tuple[float, float]]] = {0.1: [], 0.2: []}
    async with ground.country() as (dsn, country), _followed(dsn) as (ledger, runner):
        for n in range(2):
            burst = await drive(
                ledger, read_all(ledger, documents(country, ground.events // 2, n)), 256
            )
            await _level(ledger, runner)
        for n in range(ground.rounds):
            for share, rounds in found.items():
                rate = share * burst.rate
                asked = documents(country, int(rate * PACED_SECONDS), 10 + n)
                times = await _visible(ledger, runner, read_all(ledger, asked), rate)
                rounds.append(tuple(1000 * quantile(side, 0.99) for side in times))
                await _level(ledger, runner)
    return [
        Row(id="T11", unit="ms", absolute=True, less=True, must=must, aim=aim,
            quantity=f"commit → visible, p99 at {share:.0%} of {burst.rate:.0f} events/s "
                     "(limit: the commit's own p99)",
            ours=median(seen for seen, _ in rounds), limit=median(own for _, own in rounds),
            ratio=median(seen / own for seen, own in rounds))
        for (share, rounds), must, aim in zip(found.items(), (30, 80), (12, 30), strict=True)
    ]  # fmt: skip


class _Readers:
    """Readers of reports at a steady pace: latencies of each phase, and what failed."""

    def __init__(self, ledger: Ledger, country: Country) -> None:
        """Take whose reports are read."""
        self.ledger, self.codes = ledger, country.codes
        self.latencies: list[float] = []
        self.failed: list[str] = []
        self.ended = asyncio.Event()

    async def read(self, seed: int) -> None:
        """Read one report after the other until the end."""
        random = Random(seed)
        while not self.ended.is_set():
            began = time.perf_counter()
            try:
                async with self.ledger.database.connect("reader") as connection:
                    report = await budget_execution.report(
                        connection, self.ledger.rules, budget=random.choice(self.codes)
                    )
                if not report.rows:
                    self.failed.append("no rows")
            except Exception as error:  # noqa: BLE001 - whatever fails is counted
                self.failed.append(repr(error))
            self.latencies.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE_SECONDS)

    def phase(self) -> list[float]:
        """Hand out the latencies since the last phase."""
        found, self.latencies = self.latencies, []
        return found


async def t13(ground: Ground) -> list[Row]:
    """Reads during rebuild, comparison and swap against reads alone, under slow postings."""
    rounds: list[tuple[float, float]] = []
    async with ground.history() as (dsn, country), _followed(dsn) as (ledger, _):
        readers = _Readers(ledger, country)
        posted = read_all(ledger, documents(country, 20_000, 77))
        async with asyncio.TaskGroup() as tasks:
            for seed in range(READERS):
                tasks.create_task(readers.read(seed))
            tasks.create_task(paced(ledger, posted, POSTINGS_PER_SECOND, readers.ended))
            reads = 0
            await asyncio.sleep(1)
            for _ in range(ground.rounds):
                readers.phase()
                await asyncio.sleep(ALONE_SECONDS)
                alone = readers.phase()
                report = await rebuild(ledger.database, NAME)
                during = readers.phase()
                reads += len(during)
                if report.differences or not report.swapped:
                    readers.failed.append(f"not swapped: {report.differences[:1]}")
                rounds.append((1000 * quantile(during, 0.99), 1000 * quantile(alone, 0.99)))
            readers.ended.set()
    many = f"{ground.rounds} swaps of {report.events} events under {READERS} readers"
    return [
        Row(id="T13", quantity=f"failed reads of {reads} during {many}", unit="reads",
            ours=len(readers.failed), absolute=True, less=True, must=0, aim=0),
        Row(id="T13", quantity="  p99 of a report during rebuild and swap ÷ alone", unit="ms",
            ours=median(during for during, _ in rounds), limit=median(own for _, own in rounds),
            ratio=median(during / own for during, own in rounds), less=True, must=2, aim=1.3),
    ]  # fmt: skip
