"""Applying steps exactly once, and parking the budgets whose events cannot be applied.

A poison event parks its budget for one projection: nothing of it is skipped, later events of it
wait, and no other budget is stopped. `unpark` applies what waited, after a fix.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, NamedTuple

import asyncpg
from prometheus_client import Gauge

from ledger.errors import Broken, LedgerError, NotFound
from ledger.store.pool import CONFLICT, LOST, Database
from projections.registry import Projection, Span, projection, sql
from projections.versions import live_schema, use

log = logging.getLogger(__name__)
CHUNK_EVENTS = 20_000
"""Events of one transaction, unless a single step of the sequencer is larger."""
PARKED = Gauge("qazyna_projection_parked_budgets", "budgets that wait for a fix", ["projection"])


class Advance(NamedTuple):
    """Sequences: applied before and after a step, and the last one that is published."""

    before: int
    after: int
    published: int


async def advance(
    connection: Any, made: Projection, *, schema: str | None = None, upto: int | None = None
) -> Advance:
    """Apply the next whole steps in one transaction.

    Without `schema` the live version advances; `upto` is a sequence where a step ends. What SQL
    alone folds is one call. What fails is rolled back and tried again with care: budget by budget,
    behind savepoints.
    """
    asked = (made.name, schema, upto, CHUNK_EVENTS)
    try:
        if made.plain:
            found = await _take(connection, *asked, *made.in_sql())
            if not found["left"]:
                return Advance(found["before"], found["after"], found["published"])
        return await _advance(connection, made, asked, apply=fold)
    except (*LOST, *CONFLICT):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it must stop one budget only
        log.warning("%s fails and is tried with care: %s", made.name, error)
    return await _advance(connection, made, asked, apply=apply)


async def _advance(
    connection: Any, made: Projection, asked: tuple[Any, ...], *,
    apply: Callable[[Any, Projection, Span], Awaitable[None]],
) -> Advance:  # fmt: skip
    """Apply the next whole steps by a way to apply them, in a transaction of ours."""
    async with connection.transaction():
        found = await _take(connection, *asked, None, None, None)
        before, after = found["before"], found["after"]
        if after > before:
            await apply(connection, made, Span(
                parked=found["version"], after=before, upto=after, flagged=found["flagged"],
                kinds=frozenset(found["kinds"])))  # fmt: skip
    return Advance(before, after, found["published"])


async def _take(connection: Any, name: str, *asked: Any) -> Any:
    """Call the function `projections.take_step`. Raises `Broken` where no version is live."""
    found = await connection.fetchrow(sql("", "take_step"), name, *asked)
    if found is None:
        raise Broken(f"the projection {name} has no live version")
    return found


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
    await fold(connection, made, replace(
        span, kinds=frozenset(row["kind"] for row in rows),
        flagged=any(row["flagged"] for row in rows)))  # fmt: skip


async def fold(connection: Any, made: Projection, span: Span) -> None:
    """Apply a span whose kinds are known already, or raise as `attempt` does."""
    made.refuse_unknown(span.kinds)
    if span.kinds & made.handled or (made.flags and span.flagged):
        await made.apply(connection, span)


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
