"""Where the append path spends its time: phases, Python functions, SQL statements, WAL records.

`python -m tests.bench --profile T1`. The phases are timed without the profiler; the server runs
with `pg_stat_statements`, which sees the statements inside our functions.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from ledger.service import Ledger
from ledger.store.attempt import Attempt
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.rows import Batch
from tests.bench.country import documents, read_all
from tests.bench.driving import Drive, drive
from tests.bench.ground import Ground, clock
from tests.bench.table import number
from tests.store.world import sequenced

WAYS: dict[str, dict[str, Any]] = {
    "T1": {"regions": 20, "callers": 256, "hot": False},
    "T1v": {"regions": 0, "callers": 256, "hot": False},
    "T3": {"regions": 20, "callers": 256, "hot": True},
    "T5": {"regions": 20, "callers": 64, "hot": False},
}
SHOWN = 25
STATEMENTS = """
SELECT calls, rows, total_exec_time AS ms, wal_records, wal_bytes,
    left(regexp_replace(query, '\\s+', ' ', 'g'), 90) AS text
FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname =
    current_database()) AND query NOT ILIKE '%pg_stat_statements%'
ORDER BY total_exec_time DESC LIMIT 16"""
RECORDS = """
SELECT "resource_manager/record_type" AS type, count, combined_size
FROM pg_get_wal_stats($1::pg_lsn, $2::pg_lsn, true)
WHERE combined_size > 0 ORDER BY combined_size DESC LIMIT 14"""


async def watch_statements(server: EmbeddedPostgres) -> None:
    """Have the server preload `pg_stat_statements` (effective at its next start)."""
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        await connection.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        await connection.execute("ALTER SYSTEM SET pg_stat_statements.track = 'all'")
    finally:
        await connection.close()


@contextmanager
def _timed(seconds: Counter[str]) -> Iterator[None]:
    """Time the phases of every attempt; what they do stays as it is."""
    kept = (Attempt.run, Attempt._decide, Attempt._write, Batch.arguments)

    def timed(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return await method(*given, **named)
            finally:
                seconds[name] += time.perf_counter() - began

        return call

    def arguments(*given: Any) -> Any:
        began = time.perf_counter()
        try:
            return kept[3](*given)
        finally:
            seconds["arguments"] += time.perf_counter() - began
            seconds["calls"] += 1

    Attempt.run = timed("run", kept[0])
    Attempt._decide = timed("decide", kept[1])
    Attempt._write = timed("write", kept[2])
    Batch.arguments = arguments
    try:
        yield
    finally:
        Attempt.run, Attempt._decide, Attempt._write, Batch.arguments = kept


def _show_phases(driven: Drive, seconds: Counter[str]) -> None:
    """Print how the wall time divides."""
    calls = seconds["calls"]
    rest = seconds["run"] - seconds["decide"] - seconds["write"]
    parts = {
        "decide (Python, encoding and hashing included)": seconds["decide"],
        "arrays of the append call (Python)": seconds["arguments"],
        "append: encoding, statement, commit per call": seconds["write"] - seconds["arguments"],
        "begin, commit, loading, answers of a batch": rest,
        "between batches: callers, sequencer's task": driven.seconds - seconds["run"],
    }
    print(f"\nphases: {driven.rate:.0f} events/s, {driven.events} events, {calls:.0f} calls of "
          f"append, {driven.events / calls:.1f} events a call")  # fmt: skip
    for name, spent in parts.items():
        print(
            f"  {spent / driven.seconds:6.1%}  {1e6 * spent / driven.events:7.1f} µs/event  {name}"
        )


async def _show_sql(connection: Any, driven: Drive) -> None:
    """Print the dearest statements, those inside functions too (an outer one holds its inner)."""
    print("\nSQL by time (outer statements contain inner ones)")
    print(f"  {'µs/event':>9}  {'ms/call':>8}  {'calls':>7}  {'WAL B/event':>11}  statement")
    for row in await connection.fetch(STATEMENTS):
        print(f"  {1000 * row['ms'] / driven.events:9.1f}  {row['ms'] / row['calls']:8.3f}  "
              f"{row['calls']:7}  {float(row['wal_bytes']) / driven.events:11.0f}  "
              f"{row['text']}")  # fmt: skip


async def _show_wal(connection: Any, driven: Drive, since: str, until: str) -> None:
    """Print WAL bytes an event, by kind of record."""
    size = await connection.fetchval("SELECT ($2::pg_lsn - $1::pg_lsn)::bigint", since, until)
    print(f"\nWAL: {size / driven.events:.0f} bytes/event")
    for row in await connection.fetch(RECORDS, since, until):
        print(f"  {float(row['combined_size']) / driven.events:7.1f} B/event  "
              f"{row['count'] / driven.events:6.2f} records/event  {row['type']}")  # fmt: skip


async def profile(ground: Ground, id_: str) -> None:
    """Profile one way of appending and print what it costs."""
    way = WAYS[id_]
    hot, callers = way["hot"], way["callers"]
    async with ground.country(way["regions"]) as (dsn, country):
        connection = await asyncpg.connect(dsn)
        await connection.execute(
            "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_walinspect"
        )
        async with Ledger(dsn, clock=clock) as ledger:
            asked = [read_all(ledger, documents(country, ground.events, n, hot=hot))
                     for n in range(3)]  # fmt: skip
            await drive(ledger, asked[0], callers)
            await sequenced(ledger, 120)
            await connection.execute("SELECT pg_stat_statements_reset()")
            since = await connection.fetchval("SELECT pg_current_wal_lsn()")
            seconds: Counter[str] = Counter()
            with _timed(seconds):
                driven = await drive(ledger, asked[1], callers)
            await sequenced(ledger, 120)
            until = await connection.fetchval("SELECT pg_current_wal_lsn()")
            print(f"{id_}: {number(driven.rate)} events/s with statements watched")
            _show_phases(driven, seconds)
            await _show_sql(connection, driven)
            await _show_wal(connection, driven, since, until)
            profiler = cProfile.Profile()
            profiler.enable()
            driven = await drive(ledger, asked[2], callers)
            profiler.disable()
        await connection.close()
    print(f"\nPython: {driven.rate:.0f} events/s under cProfile, {driven.events} events")
    stats = pstats.Stats(profiler)
    stats.sort_stats("tottime").print_stats(SHOWN)
    stats.sort_stats("cumulative").print_stats("ledger|asyncpg", 2 * SHOWN)
