"""`floor`: what indispensable parts take alone, under the marks of the whole that they are part of.

Where a part alone, with everything else for nothing, does not reach a mark, no arrangement of this
code on this machine does. A part that reaches it shows nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import asyncpg

from ledger.cells import BudgetState
from ledger.decision import Decision, decide
from ledger.events import RULEBOOK, Event, decode, log_id
from ledger.rules import Rules
from ledger.service import Ledger
from ledger.store import append
from ledger.store.attempt import Attempt
from ledger.store.checks import PAGE, WholeState
from ledger.store.pool import Database
from ledger.store.read import fold_rule
from ledger.store.rows import Batch, stage
from ledger.store.sql import sql
from tests.bench import limits
from tests.bench.appending import CALLERS, SINGLE_SECONDS, single_name
from tests.bench.country import documents, read_all
from tests.bench.driving import drive
from tests.bench.ground import Ground, clock
from tests.bench.rivals import StockRecorder
from tests.bench.serving import post_singles, serving
from tests.bench.table import Row, compared
from tests.store.world import REPUBLIC, sequenced

CONNECTIONS = CORES = 2
SECONDS = 2.0
REGIONS = 20


class Deciding:
    """Decides commands of a history again; `sealing` also makes the statements' arguments."""

    def __init__(self, *, sealing: bool = False) -> None:
        """Start before the first event."""
        self._states: dict[str, BudgetState] = {}
        self._rules = [Rules()]
        self._sealing = sealing

    def decide(self, facts: Iterable[Event]) -> None:
        """Decide the commands of events that follow those before."""
        batches: dict[int, Batch] = {}
        for number, fact in enumerate(facts, 1):
            if (asked := fact.asked) is not None:
                states = {code: self._state(code) for code in asked.budgets()}
                decision = decide(states, asked, self._rules[fact.rules_at], fact.recorded_at)
                if self._sealing:
                    stage(decision, self._states, batches)
                else:
                    _take(decision, self._states)
            if fact.originator_id == RULEBOOK:
                self._rules.append(fold_rule(self._rules[-1], fact))
            if number % CALLERS == 0:
                for batch in batches.values():
                    batch.arguments(self._states, 0)
                batches.clear()

    def _state(self, code: str) -> BudgetState:
        if code not in self._states:
            self._states[code] = WholeState(code, log_id(code) % REGIONS, log_id(code))
        return self._states[code]


def _take(decision: Decision, states: Mapping[str, BudgetState]) -> None:
    """Move states on, and nothing else."""
    for overlay in decision.overlays.values():
        overlay.base.take(overlay)
    for event in decision.events:
        states[event.originator_id].position = event.originator_version


async def _stored(dsn: str) -> list[Any]:
    """The rows of a replay."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(sql("queries/replay"))
    finally:
        await connection.close()


def _read(rows: Iterable[Any]) -> list[Event]:
    return [decode(row["body"], row["code"], row["position"]) for row in rows]


async def _sealing(ground: Ground, *, hot: bool) -> list[tuple[float, float]]:
    """Rounds of (events a second of deciding traffic and making its arguments, raw bulk)."""
    rounds = []
    async with ground.country() as (dsn, country), Ledger(dsn, clock=clock) as ledger:
        await limits.make_plain(dsn)
        before = await sequenced(ledger, 120)
        many = ground.events * (ground.rounds + 1)
        await drive(ledger, read_all(ledger, documents(country, many, 1, hot=hot)), CALLERS)
        await sequenced(ledger, 120)
        bulk = await limits.Bulk.like(dsn)
        facts = _read(await _stored(dsn))
        deciding, size = Deciding(sealing=True), (len(facts) - before) // (ground.rounds + 1)
        deciding.decide(facts[: before + size])
        for n in range(1, ground.rounds + 1):
            part = facts[before + n * size : before + (n + 1) * size]
            began = time.perf_counter()
            deciding.decide(part)
            ours = len(part) / (time.perf_counter() - began)
            rounds.append((ours, await bulk.rate(dsn, 3 * ground.events, 1 if hot else 2)))
    return rounds


async def _reading(ground: Ground) -> list[Row]:
    """Under replay and check: bodies must be read and decided, rows fetched, read and summed."""
    decided, summed = [], []
    async with ground.history() as (dsn, _):
        rows = await _stored(dsn)
        for _ in range(ground.rounds):
            began = time.perf_counter()
            Deciding().decide(_read(rows))
            decided.append(len(rows) / (time.perf_counter() - began))
            began = time.perf_counter()
            many = await _fetch_and_sum(dsn)
            summed.append(many / (time.perf_counter() - began))
    return [
        Row(id="floor", quantity="replay: only reading bodies and deciding", unit="events/s",
            ours=median(decided), absolute=True, must=20_000),
        Row(id="floor", quantity="check: only fetching rows, reading bodies and summing them",
            unit="events/s", ours=median(summed), absolute=True, must=60_000),
    ]  # fmt: skip


async def _fetch_and_sum(dsn: str) -> int:
    """Fetch what `check` reads of the events, sum it in cells; return how many events."""
    connection, many = await asyncpg.connect(dsn), 0
    states: dict[int, WholeState] = {}
    try:
        async with connection.transaction(readonly=True):
            for year, code in ((0, RULEBOOK), (2025, REPUBLIC)):
                async for row in connection.cursor(sql("queries/check_year"), year, prefetch=PAGE):
                    log = row["log"]
                    state = states.get(log) or states.setdefault(log, WholeState(code, 0, log))
                    overlay = state.overlay()
                    overlay.evolve(decode(row["body"], code, row["position"]))
                    state.take(overlay)
                    many += 1
    finally:
        await connection.close()
    return many


class Recorded(Attempt):
    """Remembers the arguments of every statement that it writes."""

    written: list[list[list[Any]]]

    async def _write(self) -> None:
        if self._calls:
            self.written.append(self._calls)
        await super()._write()


async def _record(ground: Ground, dsn: str, country: Any) -> list[tuple[list, int]]:
    """Post T1's traffic; return by round the statements' arguments and how many events."""
    rounds = []
    original, append.Attempt = append.Attempt, Recorded
    try:
        async with Ledger(dsn, clock=clock) as ledger:
            for n in range(ground.rounds + 1):
                Recorded.written = []
                asked = read_all(ledger, documents(country, ground.events, n))
                driven = await drive(ledger, asked, CALLERS)
                rounds.append((Recorded.written, driven.events))
    finally:
        append.Attempt = original
    return rounds


@asynccontextmanager
async def _writers(dsn: str) -> AsyncIterator[list[Any]]:
    """Connections as the appender's."""
    database = Database(dsn)
    opened = [await database.listen("writer", answer_seconds=60) for _ in range(CONNECTIONS)]
    try:
        yield opened
    finally:
        for connection in opened:
            await connection.close()


async def _write(connection: Any, share: int, batches: Sequence[list]) -> None:
    """Execute what concerns a share of the regions."""
    for calls in batches:
        own = [call for call in calls if call[0] % CONNECTIONS == share]
        if own:
            await connection.executemany(sql("queries/append"), own)


async def _writing(ground: Ground) -> tuple[float, float, Row]:
    """Under T6: the statements, their arguments made before, nothing sequenced; single rows.

    Two connections write the regions that are theirs, so that the server has both cores.
    """
    rounds: list[tuple[float, float]] = []
    async with ground.country() as (dsn, country):
        recorded = await _record(ground, dsn, country)
        body = await limits.typical_body(dsn)
        await limits.make_plain(dsn)
        single = median([await limits.single_rows(dsn, SINGLE_SECONDS, ground.server.home)
                         for _ in range(ground.rounds)])  # fmt: skip
    async with ground.country() as (dsn, _), _writers(dsn) as connections:
        stock = await asyncio.to_thread(StockRecorder, ground.server, dsn, body)
        try:
            await stock.rate(1.0)
            for batches, events in recorded:
                began = time.perf_counter()
                await asyncio.gather(
                    *(_write(each, share, batches) for share, each in enumerate(connections))
                )
                alone = events / (time.perf_counter() - began)
                rounds.append((alone, await stock.rate(SECONDS)))
        finally:
            await asyncio.to_thread(stock.close)
    name = f"T6: only the statements, {CONNECTIONS} connections ÷ the stock recorder, 8 threads"
    row = compared("floor", name, "events/s", rounds[1:], must=20)
    return row.ours, single, row


async def _trivial(ground: Ground) -> float:
    """Requests a second of the trivial POST."""
    bodies = [b"{}"] * ground.events
    async with serving("tests.bench.trivial") as served:
        return median([await post_singles(served.port, bodies) for _ in range(ground.rounds)])


async def floors(ground: Ground) -> list[Row]:
    """What indispensable parts reach alone.

    Statements take both cores, deciding one, a request both: together an event takes both cores
    at least as long as all of them.
    """
    statements, single, t6 = await _writing(ground)
    wide = await _sealing(ground, hot=False)
    both = [(1 / (1 / statements + 1 / (CORES * ours)), limit) for ours, limit in wide]
    posting = median(rate for rate, _ in both)
    trivial = await _trivial(ground)
    alone = "deciding and making arguments"
    parts = f"only the statements, {alone}, over both cores"
    return [
        compared("floor", f"T1: {parts} ÷ {single_name()} single rows", "events/s",
                 [(posting, single)], must=0.7),
        compared("floor", f"T2: {parts} ÷ 2 connections of raw bulk", "events/s", both, must=0.2),
        compared("floor", f"T3: only {alone} ÷ 1 connection of raw bulk", "events/s",
                 await _sealing(ground, hot=True), must=0.4),
        t6,
        compared("floor", f"T7: {parts}, and a trivial POST ÷ it", "requests/s",
                 [(1 / (1 / posting + 1 / trivial), trivial)], must=0.5),
        *await _reading(ground),
    ]  # fmt: skip
