"""Checking the live projections against the events: each is made anew and compared row by row."""

from __future__ import annotations

from typing import Any

from ledger.store.checks import Finding
from ledger.store.pool import Database
from projections.parking import apply
from projections.rebuild import REBUILD, only_in
from projections.registry import NAMES, Projection, Span, projection, sql
from projections.versions import build, fingerprint


async def check(database: Database) -> list[Finding]:
    """Return the rows of live projections that are not what the events say, and the reverse.

    Nothing stays of what is made for it. Left out are versions that another release has made,
    which the next start of a service replaces, and parked budgets, which wait for a person.
    """
    connection = await database.listen("projector")
    try:
        if await connection.fetchval("SELECT to_regclass('projections.versions')") is None:
            return []  # no service has ever started
        await connection.execute("SET jit = off")
        findings = []
        for number, name in enumerate(NAMES):
            await connection.execute("SELECT pg_advisory_lock($1, $2)", REBUILD, number)
            made = connection.transaction(isolation="repeatable_read")
            await made.start()
            try:
                findings += await _check(connection, projection(name))
            finally:
                await made.rollback()
        return findings
    finally:
        await connection.close(timeout=5)


async def _check(connection: Any, made: Projection) -> list[Finding]:
    """Make one projection up to where the live one stands, inside a transaction; compare both."""
    live = await connection.fetchrow(sql("", "live_version"), made.name)
    if live is None or live["fingerprint"] != fingerprint(made):
        return []
    reached = await connection.fetchval(
        f"SELECT sequence FROM {made.name}.checkpoint"  # noqa: S608 - a name of ours
    )
    schema = await build(connection, made)
    await apply(connection, made, Span(parked=schema, after=0, upto=reached))
    return [
        Finding(code="projection-differs", budget=row["budget"] or "",
                message=f"{made.name}.{table}: only the {side} one has {row['row']}")
        for table in made.tables
        for side, one, other in (("live", live["schema"], schema),
                                 ("rebuilt", schema, live["schema"]))
        for row in await connection.fetch(only_in(table, one, other))
    ]  # fmt: skip
