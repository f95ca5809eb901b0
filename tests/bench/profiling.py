"""Where the append path spends its time: phases, Python functions, SQL statements, WAL records.

The bench `profile` shows T1 and gives the sums as rows; `--profile T3` shows another way. Phases,
SQL and WAL are measured without the Python profiler, on a server of their own that runs with
`pg_stat_statements`, which sees the statements inside our functions.
"""

from __future__ import annotations

import cProfile
import pstats
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg

from ledger.service import Ledger
from ledger.store.attempt import Attempt
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.rows import Batch
from tests.bench.country import documents, read_all
from tests.bench.driving import Drive, drive
from tests.bench.ground import Ground, clock
from tests.bench.table import Row, number
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

RELATIONS = """
SELECT coalesce(regexp_replace(c.relname, '_[0-9]{4}', '_YEAR'), 'other') AS name,
    count(*) AS touched, sum(b.block_data_length)::bigint AS data,
    sum(b.block_fpi_length)::bigint AS images
FROM pg_get_wal_block_info($1::pg_lsn, $2::pg_lsn) AS b
LEFT JOIN pg_class AS c ON b.relfilenode = pg_relation_filenode(c.oid)
    AND b.reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY 1 ORDER BY sum(b.block_data_length + b.block_fpi_length) DESC LIMIT 16"""


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
    kept = (Attempt._decide, Attempt._write, Batch.arguments)

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
            return kept[2](*given)
        finally:
            seconds["arguments"] += time.perf_counter() - began
            seconds["calls"] += 1

    Attempt._decide = timed("decide", kept[0])
    Attempt._write = timed("write", kept[1])
    Batch.arguments = arguments
    try:
        yield
    finally:
        Attempt._decide, Attempt._write, Batch.arguments = kept


def _show_phases(driven: Drive, seconds: Counter[str]) -> None:
    """Print how this process divides the wall time, and what the server does beside it."""
    calls = seconds["calls"]
    parts = {
        "decide: rules, encoding, hashing": seconds["decide"] - seconds["arguments"],
        "arrays of the append calls": seconds["arguments"],
        "callers, answers, sequencer's task, waiting": driven.seconds - seconds["decide"],
        "beside these: the append calls until their commit": seconds["write"],
    }
    print(f"\nphases: {driven.rate:.0f} events/s, {driven.events} events, {calls:.0f} calls of "
          f"append, {driven.events / calls:.1f} events a call")  # fmt: skip
    for name, spent in parts.items():
        print(
            f"  {spent / driven.seconds:6.1%}  {1e6 * spent / driven.events:7.1f} µs/event  {name}"
        )


async def _show_sql(connection: Any, driven: Drive) -> float:
    """Print the dearest statements, those inside functions too (an outer one holds its inner).

    Returns the server's µs an event, outer statements only.
    """
    print("\nSQL by time (outer statements contain inner ones)")
    print(f"  {'µs/event':>9}  {'ms/call':>8}  {'calls':>7}  {'WAL B/event':>11}  statement")
    for row in await connection.fetch(STATEMENTS):
        print(f"  {1000 * row['ms'] / driven.events:9.1f}  {row['ms'] / row['calls']:8.3f}  "
              f"{row['calls']:7}  {float(row['wal_bytes']) / driven.events:11.0f}  "
              f"{row['text']}")  # fmt: skip
    whole = await connection.fetchval(
        "SELECT sum(total_exec_time) FROM pg_stat_statements WHERE toplevel"
    )
    return 1000 * float(whole) / driven.events


async def _show_wal(connection: Any, driven: Drive, since: str, until: str) -> float:
    """Print WAL bytes an event, by kind of record and by relation; return them."""
    size = await connection.fetchval("SELECT ($2::pg_lsn - $1::pg_lsn)::bigint", since, until)
    many = driven.events
    print(f"\nWAL: {size / many:.0f} bytes/event")
    for row in await connection.fetch(RECORDS, since, until):
        print(f"  {float(row['combined_size']) / many:7.1f} B/event  "
              f"{row['count'] / many:6.2f} records/event  {row['type']}")  # fmt: skip
    print("  by relation: blocks touched, their data and full-page images")
    for row in await connection.fetch(RELATIONS, since, until):
        print(f"  {row['touched'] / many:7.2f} /event  {row['data'] / many:7.1f} B/event  "
              f"{row['images'] / many:7.1f} B/event  {row['name']}")  # fmt: skip
    return float(size) / many


def _show_python(profiler: cProfile.Profile, driven: Drive) -> float:
    """Print the functions with the most time of their own; return all of it in µs an event."""
    stats = pstats.Stats(profiler).stats
    idle = ("method 'poll' of", "run_until_complete", "built-in method select", "gc.collect")
    busy = {place: told for place, told in stats.items() if not any(n in place[2] for n in idle)}
    dearest = sorted(busy.items(), key=lambda item: -item[1][2])[:SHOWN]
    print(f"\nPython by a function's own time: {driven.rate:.0f} events/s under cProfile")
    print(f"  {'µs/event':>9}  {'calls/event':>11}  {'µs with inner':>13}  function")
    for (file, line, name), (_, calls, own, whole, _) in dearest:
        where = f"{Path(file).parent.name}/{Path(file).name}:{line} " if line else ""
        print(f"  {1e6 * own / driven.events:9.1f}  {calls / driven.events:11.2f}  "
              f"{1e6 * whole / driven.events:13.1f}  {where}{name}")  # fmt: skip
    return 1e6 * sum(own for _, _, own, _, _ in busy.values()) / driven.events


async def profile(ground: Ground, id_: str) -> list[Row]:
    """Profile one way of appending on a server that watches statements; print what it costs."""
    hot, callers = WAYS[id_]["hot"], WAYS[id_]["callers"]
    async with ground.country(WAYS[id_]["regions"]) as (dsn, country):
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
            print(f"\n{id_}: {number(driven.rate)} events/s with statements watched")
            _show_phases(driven, seconds)
            server = await _show_sql(connection, driven)
            written = await _show_wal(connection, driven, since, until)
            profiler = cProfile.Profile()
            profiler.enable()
            again = await drive(ledger, asked[2], callers)
            profiler.disable()
        await connection.close()
    python = _show_python(profiler, again)
    told = {"wall": 1e6 / driven.rate, "server, all statements": server,
            "Python, under its profiler": python}  # fmt: skip
    return [
        *(Row(id="profile", quantity=f"{id_}: {name}, time an event", unit="µs", ours=value)
          for name, value in told.items()),
        Row(id="profile", quantity=f"{id_}: WAL an event, sequencer included", unit="bytes",
            ours=written),
    ]  # fmt: skip


async def profiled(ground: Ground, id_: str = "T1") -> list[Row]:
    """Profile on a server of its own: `pg_stat_statements` must be there from its start."""
    home = Path(tempfile.mkdtemp(prefix="profile-", dir=ground.server.home))
    try:
        with EmbeddedPostgres(home) as server:
            await watch_statements(server)
            server.stop()
            server.start()
            return await profile(replace(ground, server=server, made={}), id_)
    finally:
        shutil.rmtree(home, ignore_errors=True)
