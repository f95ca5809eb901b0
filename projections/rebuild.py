"""Rebuilding a projection beside the live one: fold, catch up, compare, swap.

Readers keep reading through views; a swap replaces the views in one transaction. The version
before stays for `roll_back`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from ledger.errors import NotFound
from ledger.store.pool import CONFLICT, LOST, Database
from projections.parking import advance, apply
from projections.registry import NAMES, Projection, Span, projection, sql
from projections.versions import build, drop, fingerprint, put_live, unkeyed, use

log = logging.getLogger(__name__)
REBUILD = 0x71617A62
"""Advisory locks of rebuilds ("qazb"), one a projection."""
LOCK_MILLISECONDS = 50
FOLD_MEGABYTES = 128
"""Memory of one sort or hash table of the fold."""
SAMPLE = 10
"""Statistics of a new version: of 3 000 rows, enough to tell that a budget has few of many."""
SHOWN = 20
"""Differing rows that a report names, of each table and side."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A row that only one of the two versions has: `side` is "live" or "rebuilt"."""

    table: str
    side: str
    row: str


@dataclass(frozen=True, kw_only=True)
class RebuildReport:
    """What a rebuild did: events folded, seconds, rows that differ, whether it was swapped in."""

    name: str
    schema: str
    sequence: int
    events: int
    seconds: float
    differences: tuple[Difference, ...]
    swapped: bool


async def rebuild(database: Database, name: str, *, compare: bool = True) -> RebuildReport:
    """Rebuild a projection from the events and put it in place of the live one.

    With `compare`, every row must equal the live one at the same sequence; else the live version
    stays, and the report names what differs. A live version of another release is not compared.
    Raises `NotFound` for an unknown projection.
    """
    async with _alone(database, name) as (connection, made):
        started = time.monotonic()
        schema, events = await _fold(connection, made)
        seconds = time.monotonic() - started
        if compare and await _is_ours(connection, made):
            found = await _compare(connection, made, schema)
        else:
            found = ()
        if found:
            log.error("%s: the rebuilt version differs from the live one", name)
            sequence = await _sequence(connection, schema)
        else:
            sequence = await _swap(connection, made, schema)
    return RebuildReport(name=name, schema=schema, sequence=sequence, events=events,
                         seconds=seconds, differences=found, swapped=not found)  # fmt: skip


async def roll_back(database: Database, name: str) -> str:
    """Put the version before the live one back in its place; return its schema."""
    async with _alone(database, name) as (connection, made):
        schema: str | None = await connection.fetchval(sql("", "version_before"), name)
        if schema is None:
            raise NotFound("unknown-version", f"{name} has no version before", projection=name)
        if not await _is_ours(connection, made, schema):
            raise NotFound("unknown-version", f"the version of {name} before is of another release",
                           projection=name)  # fmt: skip
        await _swap(connection, made, schema)
    return schema


async def _is_ours(connection: Any, made: Projection, schema: str | None = None) -> bool:
    """Tell whether this release's fold fits a version, the live one unless another is named."""
    found: bool = await connection.fetchval(
        sql("", "is_ours"), made.name, schema, fingerprint(made)
    )
    return found


@asynccontextmanager
async def _alone(database: Database, name: str) -> AsyncIterator[tuple[Any, Projection]]:
    """Hand out a connection that is the only one to change versions of a projection."""
    if name not in NAMES:
        raise NotFound("unknown-projection", f"no projection {name}", projection=name)
    connection = await database.listen("projector")
    try:
        await connection.execute("SELECT pg_advisory_lock($1, $2)", REBUILD, NAMES.index(name))
        for row in await connection.fetch(sql("", "leftovers"), name):
            await drop(connection, row["schema"])
        yield connection, projection(name)
    finally:
        await connection.close(timeout=5)


async def _fold(connection: Any, made: Projection) -> tuple[str, int]:
    """Fold everything that is sequenced into a new version, in one transaction of one instant."""
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute(f"SET LOCAL work_mem = '{FOLD_MEGABYTES}MB'")
        schema = await build(connection, made)
        last: int = await connection.fetchval(
            "SELECT coalesce(max(last_sequence), 0) FROM ledger.steps"
        )
        await _fill(connection, made, Span(parked=schema, after=0, upto=last))
        await connection.execute("UPDATE checkpoint SET sequence = $1", last)
    await connection.execute(";".join([
        f"SET default_statistics_target = {SAMPLE}",
        *(f"ANALYZE {schema}.{table} (region, log)" for table in made.tables),
    ]))  # fmt: skip
    return schema, last


async def _fill(connection: Any, made: Projection, span: Span) -> None:
    """Fold the whole history: at once where the projection knows how, with care where it fails."""
    if made.fill is not None:
        try:
            async with connection.transaction(), unkeyed(connection, made.tables):
                await made.fill(connection, span)
            return
        except (*LOST, *CONFLICT):
            raise
        except Exception as error:  # noqa: BLE001 - what it is, the careful way finds out
            log.warning("%s cannot be folded at once: %s", made.name, error)
    await apply(connection, made, span)


async def _sequence(connection: Any, schema: str) -> int:
    """Return the sequence that a version has applied."""
    query = f"SELECT sequence FROM {schema}.checkpoint"  # noqa: S608 - a schema of ours
    found: int = await connection.fetchval(query)
    return found


async def _compare(connection: Any, made: Projection, schema: str) -> tuple[Difference, ...]:
    """Bring the new version to the live one's sequence and compare every row, at one instant.

    Budgets that either version has parked are left out: they wait for a person anyway.
    """
    reached = await _sequence(connection, schema)
    while (await advance(connection, made)).after < reached:
        pass  # the live version was behind; its checkpoint keeps us and the runner apart
    found: list[Difference] = []
    async with connection.transaction(isolation="repeatable_read"):
        live: str = await connection.fetchval(
            "SELECT schema FROM projections.versions WHERE name = $1 AND state = 'live'", made.name
        )
        await _bring(connection, made, schema, await _sequence(connection, live))
        for table in made.tables:
            for side, one, other in (("live", live, schema), ("rebuilt", schema, live)):
                rows = await connection.fetch(only_in(table, one, other))
                found += [Difference(table=table, side=side, row=row["row"]) for row in rows]
    return tuple(found)


def only_in(table: str, one: str, other: str) -> str:
    """Return the query for rows of a table that only one of two versions has, and their budget."""
    shown = " EXCEPT ALL ".join(
        f"SELECT * FROM {schema}.{table} AS t WHERE NOT EXISTS ("  # noqa: S608 - schemas of ours
        f"SELECT FROM projections.parked AS p WHERE p.schema IN ('{one}', '{other}')"
        f" AND p.region = t.region AND p.log = t.log)"
        for schema in (one, other)
    )
    return (
        f"SELECT h.code AS budget, d::text AS row FROM ({shown}) AS d"  # noqa: S608 - the same
        f" LEFT JOIN ledger.heads AS h ON h.region = d.region AND h.log = d.log LIMIT {SHOWN}"
    )


async def _bring(connection: Any, made: Projection, schema: str, upto: int) -> None:
    """Apply to a version what it lacks up to a sequence, inside a transaction."""
    await use(connection, schema)
    before: int = await connection.fetchval("SELECT sequence FROM checkpoint FOR UPDATE")
    if before < upto:
        await apply(connection, made, Span(parked=schema, after=before, upto=upto))
        await connection.execute("UPDATE checkpoint SET sequence = $1", upto)


async def _swap(connection: Any, made: Projection, schema: str) -> int:
    """Put a version in place of the live one; return its sequence.

    The lock on a view is waited for only briefly and in turns, so that readers neither queue up
    nor meet a deadlock.
    """
    while (await advance(connection, made, schema=schema)).after < await _live(connection, made):
        pass
    while True:
        try:
            async with connection.transaction():
                await connection.execute(
                    f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms';"
                    f"SELECT FROM projections.versions WHERE name = '{made.name}' FOR UPDATE"
                )
                await _bring(connection, made, schema, await _live(connection, made))
                await put_live(connection, made, schema)
                return await _sequence(connection, schema)
        except (asyncpg.LockNotAvailableError, *CONFLICT):
            await asyncio.sleep(LOCK_MILLISECONDS / 1000)


async def _live(connection: Any, made: Projection) -> int:
    """Return the sequence that the live version has applied."""
    return await _sequence(connection, made.name)
