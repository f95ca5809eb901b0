"""T9, replay, check: how fast the whole history is read, folded and decided again."""

from __future__ import annotations

import time

import asyncpg

from ledger.store.checks import check
from ledger.store.pool import Database
from ledger.store.replay import replay
from ledger.store.sql import sql
from projections.rebuild import rebuild
from projections.versions import prepare
from tests.bench.ground import Ground
from tests.bench.table import Row, compared

SHORT, LONG = 4, 24
"""Rounds of traffic in the two histories of T9."""


async def _scan(dsn: str) -> float:
    """Events a second of one sequential scan, by one backend, that reads every body's bytes."""
    connection = await asyncpg.connect(dsn, server_settings={"jit": "off"})
    try:
        await connection.execute("SET max_parallel_workers_per_gather = 0")
        began = time.perf_counter()
        many = (await connection.fetchrow(
            "SELECT count(*) AS n, sum(bit_count(body)) FROM ledger.events"
        ))["n"]  # fmt: skip
        return many / (time.perf_counter() - began)
    finally:
        await connection.close()


async def t9(ground: Ground) -> list[Row]:
    """Full rebuild of the execution projection, swap included ÷ sequential scan of the bodies.

    Of the short history half is the opening of budgets, a sum of its own each; years of daily
    traffic have many events a sum, as the long one has.
    """
    found = []
    for rounds, marks in ((LONG, {"must": 0.3, "aim": 0.6}), (SHORT, {})):
        events, measured = await _rebuilt(ground, rounds)
        name = f"rebuild of execution, {events} events ÷ sequential scan of the bodies"
        found.append(compared("T9", name, "events/s", measured, **marks))
    return found


async def _rebuilt(ground: Ground, rounds: int) -> tuple[int, list[tuple[float, float]]]:
    """Return the events of a history, and by round events a second: of a rebuild, of a scan."""
    async with ground.history(rounds) as (dsn, _):
        database = Database(dsn)
        await database.open()
        try:
            connection = await database.listen("projector")
            await prepare(connection)
            await connection.close()
            await rebuild(database, "budget_execution", compare=False)
            await _scan(dsn)
            measured = []
            for _ in range(ground.rounds):
                began = time.perf_counter()
                report = await rebuild(database, "budget_execution", compare=False)
                rebuilt = report.events / (time.perf_counter() - began)
                measured.append((rebuilt, await _scan(dsn)))
        finally:
            await database.close()
    return report.events, measured


async def _rows(dsn: str) -> float:
    """Events a second of reading what a replay reads, and nothing else."""
    connection = await asyncpg.connect(dsn)
    try:
        began, many = time.perf_counter(), 0
        async with connection.transaction(readonly=True):
            async for _ in connection.cursor(sql("queries/replay"), prefetch=5000):
                many += 1
        return many / (time.perf_counter() - began)
    finally:
        await connection.close()


async def replaying(ground: Ground) -> list[Row]:
    """Events a second of `replay` and of `check` ÷ only reading the rows of a replay."""
    replays, checks = [], []
    async with ground.history() as (dsn, _):
        await _rows(dsn)
        for _ in range(max(1, ground.rounds - 1)):
            limit = await _rows(dsn)
            report = await replay(dsn)
            began = time.perf_counter()
            found = await check(dsn)
            checks.append((report.events / (time.perf_counter() - began), limit))
            replays.append((report.events_per_second, limit))
            if report.findings or found:
                raise RuntimeError(f"the ledger is not sound: {(report.findings + found)[:3]}")
    name = f"{report.events} events ÷ only reading the rows of a replay"
    return [
        compared("replay", f"replay, {name}", "events/s", replays, absolute=True,
                 must=20_000, aim=50_000),
        compared("check", f"check, {name}", "events/s", checks, absolute=True,
                 must=60_000, aim=150_000),
    ]  # fmt: skip
