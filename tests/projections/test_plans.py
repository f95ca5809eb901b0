"""What a query does for a span of many logs grows with the events, not with events times logs.

The planner knows nothing of a span and expects few rows, so a query must leave it no way to go
through all places again for each log. Counted, not timed: rows that the nodes of a plan handled.
"""

import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from projections.registry import sql
from projections.versions import prepare

LOGS, RECEIPTS = 60, 8
PER_EVENT = 60
"""Rows that nodes may handle for one event; a pass through all places for each log makes it
hundreds."""
KINDS = ["budget.opened", "budget.receipt.credited"]
QUERIES = {
    "kinds": (sql("", "kinds"), ()),
    "documents": (sql("", "documents"), (KINDS,)),
    "events of the trail": (sql("audit_trail", "events"), ()),
    "flagged": (sql("budget_execution", "flagged"), ()),
}


@pytest.fixture
async def span(book: Any) -> int:
    """Post to many logs; return the last sequence."""
    codes = [f"KZ-2025-rayon-{n}" for n in range(LOGS)]
    book.day("2025-01-10")
    opened = [
        book.document(
            "OpenBudget",
            code,
            "2024-12-20",
            region=n % 7,
            level=3,
            year=2025,
            title=code,
            capacity="treasury",
        )
        for n, code in enumerate(codes)
    ]
    posted = [book.document("RejectPayment", code, "2025-01-10", reason="no act", amount="1.00",
                            effective_from="2025-01-10", line=["expenditure", "01"])
              for _ in range(RECEIPTS) for code in codes]  # fmt: skip
    for part in (opened, posted):
        await book.ledger.submit([book.ledger.read(one) for one in part])
    last: int = await book.applied()
    assert last > LOGS * RECEIPTS
    return last


@pytest.mark.parametrize("name", QUERIES)
async def test_a_span_of_many_logs_is_gone_through_once(book: Any, span: int, name: str) -> None:
    query, more = QUERIES[name]
    connection = await asyncpg.connect(book.dsn, server_settings={"jit": "off"})
    try:
        await prepare(connection)
        [schema] = (await connection.fetchrow(
            "SELECT schema FROM projections.versions WHERE name = 'budget_execution'"
        ))  # fmt: skip
        async with connection.transaction():
            await connection.execute(f"SET LOCAL search_path = {schema}, pg_catalog")
            await connection.execute("DELETE FROM warnings")
            explained = await connection.fetchval(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", schema, 0, span, None, None, *more
            )
    finally:
        await connection.close()
    plan = json.loads(explained)[0]["Plan"]
    handled = sum(_handled(node) for node in _nodes(plan))
    assert handled < PER_EVENT * span, f"{handled / span:.0f} rows an event"


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a plan's nodes, itself included."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _handled(node: dict[str, Any]) -> float:
    """Return the rows that a node gave or threw away."""
    thrown = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
    return float((node["Actual Rows"] + thrown) * node["Actual Loops"])
