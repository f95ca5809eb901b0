"""T1, T2, T3, T5, T15: the appender against raw inserts, its latency, and bytes on disk."""

from __future__ import annotations

import asyncpg

from ledger.service import Ledger
from tests.bench import limits
from tests.bench.country import Country, documents, read_all
from tests.bench.driving import Drive, drive
from tests.bench.ground import Ground, clock
from tests.bench.table import Row, compared, quantile
from tests.store.world import sequenced

CALLERS = 256
SINGLE_SECONDS = 3.0
WIDE = 120
"""A quantile of latencies needs at least so many commands a caller."""


async def _ours(
    ledger: Ledger, country: Country, many: int, seed: int, *,
    callers: int = CALLERS, hot: bool = False, transfers: float = 0.0,
) -> Drive:  # fmt: skip
    """One round of ours; leaves no backlog of the sequencer to the limit's round."""
    found = documents(country, many, seed, hot=hot, transfers=transfers)
    driven = await drive(ledger, read_all(ledger, found), callers)
    await sequenced(ledger, 120)
    return driven


async def _against_single(ground: Ground, regions: int, transfers: float = 0.0) -> list:
    """Rounds of (ours, single-row inserts), the first round of ours only warms."""
    async with ground.country(regions) as (dsn, country), Ledger(dsn, clock=clock) as ledger:
        await limits.make_plain(dsn)
        await _ours(ledger, country, ground.events // 2, 0, transfers=transfers)
        rounds = []
        for n in range(ground.rounds):
            ours = await _ours(ledger, country, ground.events, n + 1, transfers=transfers)
            single = await limits.single_rows(dsn, SINGLE_SECONDS, ground.server.home)
            rounds.append((ours.rate, single))
    return rounds


def single_name() -> str:
    return "pgbench -c 32" if limits.pgbench() else "32 asyncpg connections (no pgbench here)"


async def t1(ground: Ground) -> list[Row]:
    """Append from many callers to many budgets of 20 regions ÷ single-row inserts."""
    name = f"{ground.budgets} budgets, {CALLERS} callers ÷ {single_name()} single rows"
    rounds = await _against_single(ground, 20)
    return [compared("T1", f"append, 20 regions, {name}", "events/s", rounds, must=0.7, aim=1.6)]


async def t1_variants(ground: Ground) -> list[Row]:
    """The same with all budgets in one region, and with 10 % transfers between two budgets."""
    one = await _against_single(ground, 0)
    transfers = await _against_single(ground, 20, 0.1)
    name = f"{ground.budgets} budgets, {CALLERS} callers ÷ {single_name()}"
    return [
        compared("T1v", f"append, all in one region, {name}", "events/s", one),
        compared("T1v", f"append, 20 regions, 10 % transfers, {name}", "events/s", transfers),
    ]


async def _against_bulk(ground: Ground, connections: int, *, hot: bool) -> list:
    """Rounds of (ours, raw bulk inserts of rows like ours)."""
    async with ground.country() as (dsn, country), Ledger(dsn, clock=clock) as ledger:
        await limits.make_plain(dsn)
        await _ours(ledger, country, ground.events // 2, 0, hot=hot)
        bulk = await limits.Bulk.like(dsn)
        await bulk.rate(dsn, ground.events, connections)
        rounds = []
        for n in range(ground.rounds):
            ours = await _ours(ledger, country, ground.events, n + 1, hot=hot)
            rounds.append((ours.rate, await bulk.rate(dsn, 3 * ground.events, connections)))
    return rounds


async def t2(ground: Ground) -> list[Row]:
    """The same append ÷ two connections of raw bulk insert."""
    rounds = await _against_bulk(ground, 2, hot=False)
    name = f"append, {ground.budgets} budgets ÷ 2 connections of raw bulk unnest"
    return [compared("T2", name, "events/s", rounds, must=0.2, aim=0.5)]


async def t3(ground: Ground) -> list[Row]:
    """One hot budget ÷ one connection of raw bulk insert."""
    rounds = await _against_bulk(ground, 1, hot=True)
    name = f"one hot budget, {CALLERS} callers ÷ 1 connection of raw bulk unnest"
    return [compared("T3", name, "events/s", rounds, must=0.4, aim=0.8)]


async def t5(ground: Ground) -> list[Row]:
    """p99 ÷ p50 of a posting's latency at 64 callers."""
    callers, rounds = 64, []
    async with ground.country() as (dsn, country), Ledger(dsn, clock=clock) as ledger:
        await _ours(ledger, country, ground.events // 2, 0, callers=callers)
        for n in range(ground.rounds):
            many = max(ground.events // 2, callers * WIDE)
            found = (await _ours(ledger, country, many, n + 1, callers=callers)).latencies
            rounds.append((quantile(found, 0.99) * 1000, quantile(found, 0.5) * 1000))
    name = f"latency at {callers} callers: p99 ÷ p50"
    return [compared("T5", name, "ms", rounds, less=True, must=3, aim=1.8)]


async def t15(ground: Ground) -> list[Row]:
    """Bytes that a day's traffic leaves on disk, an event."""
    async with ground.country() as (dsn, country), Ledger(dsn, clock=clock) as ledger:
        connection = await asyncpg.connect(dsn)
        try:
            before = await _sizes(connection)
            for n in range(ground.rounds):
                await _ours(ledger, country, ground.events, n + 1)
            after = await _sizes(connection)
        finally:
            await connection.close()
    many = after["count"] - before["count"]
    grown = {name: (after[name] - before[name]) / many for name in after}
    name = "bytes on disk: events with indexes and toast, sequences ÷ event (limit: bodies)"
    return [
        Row(id="T15", quantity=name, unit="bytes", ours=grown["events"] + grown["sequences"],
            limit=grown["bodies"], ratio=(grown["events"] + grown["sequences"]) / grown["bodies"],
            absolute=True, less=True, must=650, aim=450),
        Row(id="T15", quantity="  of it sequences with their indexes", unit="bytes",
            ours=grown["sequences"]),
        Row(id="T15", quantity="  beside it heads, cells, lines, steps: growth without vacuum",
            unit="bytes", ours=grown["others"]),
        Row(id="T15", quantity="  WAL written ÷ event, sequencer included", unit="bytes",
            ours=grown["wal"]),
    ]  # fmt: skip


async def _sizes(connection: asyncpg.Connection) -> dict[str, float]:
    """Bytes of the ledger's relations with indexes and toast, bodies, WAL; and events."""
    row = await connection.fetchrow("""
        SELECT
            coalesce(sum(size) FILTER (WHERE name LIKE 'events%'), 0)::bigint AS events,
            coalesce(sum(size) FILTER (
                WHERE name IN ('steps', 'landmarks', 'sequenced')), 0)::bigint AS sequences,
            coalesce(sum(size) FILTER (
                WHERE name NOT LIKE 'events%' AND name NOT IN ('steps', 'landmarks', 'sequenced')
                ), 0)::bigint AS others,
            (SELECT sum(length(body)) FROM ledger.events)::bigint AS bodies,
            (SELECT count(*) FROM ledger.events) AS count,
            (pg_current_wal_lsn() - '0/0')::bigint AS wal
        FROM (
            SELECT c.relname AS name, pg_total_relation_size(c.oid) AS size FROM pg_class AS c
            WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'r'
        ) AS t""")
    return dict(row)
