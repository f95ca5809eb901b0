"""Applying steps exactly once, and parking the budgets whose events cannot be applied.

A poison event parks its budget for one projection: nothing of it is skipped, later events of it
wait, and no other budget is stopped. `unpark` applies what waited, after a fix.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import asyncpg
from prometheus_client import Gauge

from ledger.errors import LedgerError, NotFound, UnknownKind
from ledger.store.pool import CONFLICT, LOST, Database
from projections.registry import Projection, Span, projection, sql
from projections.versions import live_schema, use

log = logging.getLogger(__name__)
CHUNK_EVENTS = 20_000
"""Events of one transaction, unless a single step of the sequencer is larger."""
PARKED = Gauge("qazyna_projection_parked_budgets", "budgets that wait for a fix", ["projection"])


async def advance(
    connection: Any, made: Projection, *, schema: str | None = None, upto: int | None = None
) -> tuple[int, int]:
    """Apply the next whole steps in one transaction; return (sequence before, sequence after).

    Without `schema` the live version advances; `upto` is a sequence where a step ends.
    """
    async with connection.transaction():
        target = schema or await live_schema(connection, made.name)
        await use(connection, target)
        before = await connection.fetchval("SELECT sequence FROM checkpoint FOR UPDATE")
        after = upto or await connection.fetchval(sql("", "next_step"), before, CHUNK_EVENTS)
        if after is None or after <= before:
            return before, before
        await apply(connection, made, Span(parked=target, after=before, upto=after))
        await connection.execute("UPDATE checkpoint SET sequence = $1", after)
    return before, after


async def apply(connection: Any, made: Projection, span: Span) -> None:
    """Apply a span inside a transaction: all budgets at once, else budget by budget."""
    try:
        async with connection.transaction():
            await attempt(connection, made, span)
    except (*LOST, *CONFLICT):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it must stop one budget only
        log.warning("%s: %d..%d fails as a whole: %s", made.name, span.after, span.upto, error)
        moved = await connection.fetch(
            "SELECT m.region, m.log FROM projections.moved($1, $2, $3, $4, $5) AS m ORDER BY 1, 2",
            *span.arguments(),
        )
        for region, number in moved:
            await _apply_budget(connection, made, span, (region, number))


async def attempt(connection: Any, made: Projection, span: Span) -> None:
    """Apply a span whole, or raise. Raises `UnknownKind` for a kind nobody has decided about."""
    rows = await connection.fetch(sql("", "kinds"), *span.arguments())
    kinds = frozenset(row["kind"] for row in rows)
    if kinds - made.known:
        unknown = ", ".join(sorted(kinds - made.known))
        raise UnknownKind(f"{made.name} does not know the event kinds {unknown}", kind=unknown)
    flagged = any(row["flagged"] for row in rows)
    if kinds & made.handled or (made.flags and flagged):
        await made.apply(connection, replace(span, kinds=kinds, flagged=flagged))


async def _apply_budget(
    connection: Any, made: Projection, span: Span, place: tuple[int, int]
) -> None:
    """Apply a span to one budget, step by step where it fails, and park it at the poison."""
    ends = await connection.fetch(
        "SELECT last_sequence FROM ledger.steps WHERE last_sequence > $1 AND last_sequence <= $2"
        " ORDER BY 1",
        span.after, span.upto,
    )  # fmt: skip
    after = span.after
    for tries in ([span.upto], [row["last_sequence"] for row in ends]):
        for upto in tries:
            error = await _try(connection, made, Span(
                parked=span.parked, after=after, upto=upto, only=place))  # fmt: skip
            if error is not None:
                break
            after = upto
        if after == span.upto:
            return
    assert error is not None  # noqa: S101 - the last try failed
    await park(connection, made, span.parked, place, after, error)


async def _try(connection: Any, made: Projection, span: Span) -> Exception | None:
    """Apply a span behind a savepoint; return what went wrong."""
    try:
        async with connection.transaction():
            await attempt(connection, made, span)
    except (*LOST, *CONFLICT):
        raise
    except Exception as error:  # noqa: BLE001 - kept with the parked budget
        return error
    return None


async def park(
    connection: Any, made: Projection, schema: str, place: tuple[int, int], applied: int,
    error: Exception,
) -> None:  # fmt: skip
    """Park a budget at the last sequence that it has."""
    code = await connection.fetchval(
        "SELECT code FROM ledger.heads WHERE region = $1 AND log = $2", *place
    )
    reason = f"{type(error).__name__}: {error}"
    await connection.execute(sql("", "park"), schema, *place, code, applied, reason)
    log.error("%s parks the budget %s after sequence %d: %s", made.name, code, applied, reason)


async def parked(connection: Any) -> list[dict[str, Any]]:
    """Return the parked budgets of the live projections: projection, budget, applied, error."""
    rows = await connection.fetch(sql("", "parked"))
    return [dict(row) for row in rows]


async def count_parked(connection: Any) -> None:
    """Set the metric of parked budgets."""
    for row in await connection.fetch(sql("", "count_parked")):
        PARKED.labels(row["name"]).set(row["budgets"])


async def unpark(database: Database, name: str, budget: str) -> bool:
    """Apply what waited for a parked budget; tell whether it is up to date again.

    Raises `NotFound` where the budget is not parked.
    """
    made = projection(name)
    async with database.connect("projector") as connection, connection.transaction():
        schema = await live_schema(connection, name)
        await use(connection, schema)
        upto = await connection.fetchval("SELECT sequence FROM checkpoint FOR UPDATE")
        row = await connection.fetchrow(
            "SELECT region, log, applied FROM projections.parked"
            " WHERE schema = $1 AND budget = $2 FOR UPDATE", schema, budget,
        )  # fmt: skip
        if row is None:
            raise NotFound("budget-not-parked", f"{name} has not parked {budget}", budget=budget)
        place = (row["region"], row["log"])
        span = Span(parked=schema, after=row["applied"], upto=upto, only=place)
        await connection.execute(
            "DELETE FROM projections.parked WHERE schema = $1 AND region = $2 AND log = $3",
            schema, *place,
        )  # fmt: skip
        await _apply_budget(connection, made, span, place)
        again = await connection.fetchval(
            "SELECT 1 FROM projections.parked WHERE schema = $1 AND region = $2 AND log = $3",
            schema, *place,
        )  # fmt: skip
        await count_parked(connection)
    return again is None


async def retry_parked(database: Database) -> None:
    """Try every parked budget again, as a new release may know how to apply it."""
    async with database.connect("projector") as connection:
        waiting = await parked(connection)
    for row in waiting:
        try:
            await unpark(database, row["name"], row["budget"])
        except (LedgerError, asyncpg.PostgresError) as error:
            log.warning("%s keeps %s parked: %s", row["name"], row["budget"], error)
