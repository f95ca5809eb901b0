"""How events become the execution report: sums set-wise in SQL, titles from the documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ledger.events import typed_state
from projections.registry import Projection, Span, sql

NAME = "budget_execution"
SUMMED = frozenset({
    "budget.line.approved", "budget.line.amended", "budget.line.adjusted",
    "budget.sequestration.applied", "budget.plan.month.changed", "budget.commitment.registered",
    "budget.commitment.changed", "budget.commitment.cancelled", "budget.payment.executed",
    "budget.payment.returned", "budget.cash_expenditure.recovered", "budget.receipt.credited",
    "budget.receipt.refunded", "budget.transfer.sent", "budget.transfer.received",
})  # fmt: skip
"""Kinds that change figures of a line."""
TITLED = frozenset({"budget.approved", "budget.amended"})
"""Documents that name lines; the index `events_documents` and its queries name them, too."""
IGNORED = frozenset({
    "ledger.command.refused", "ledger.annex.erased",
    "budget.opened", "budget.adjusted", "budget.plan.set",
    "budget.plan.changed", "budget.sequestration.ordered", "budget.payment.rejected",
    "budget.exempt_list.set", "budget.exempt_name.resolved", "budget.transfer.set",
    "budget.special_account.opened", "budget.special_account.credited",
    "budget.special_account.debited", "budget.special_account.closed",
    "rulebook.jurisdiction.adopted", "rulebook.classifier.published",
})  # fmt: skip
"""Headers whose lines follow, acts without figures of a line, money outside the budget."""


async def apply(connection: Any, span: Span) -> None:
    """Add a span of events to the sums, the titles and the warnings."""
    if span.kinds & SUMMED:
        await connection.execute(sql("", "fold"), *span.arguments(), sorted(SUMMED))
    if span.flagged:
        await connection.execute(sql(NAME, "flagged"), *span.arguments())
    if span.kinds & TITLED:
        documents = await connection.fetch(sql("", "documents"), *span.arguments(), sorted(TITLED))
        await _name(connection, documents)


async def fill(connection: Any, span: Span) -> None:
    """Fold the whole history into the empty tables of a new version. Raises `UnknownKind`."""
    unknown = await connection.fetch(sql("", "unknown_kinds"), sorted(PROJECTION.known))
    PROJECTION.refuse_unknown(frozenset(row["kind"] for row in unknown))
    await connection.execute(sql(NAME, "all_sums"), sorted(SUMMED))
    await _name(connection, await connection.fetch(sql(NAME, "all_documents")))
    if await connection.fetchval("SELECT projections.may_warn()"):
        await connection.execute(sql(NAME, "flagged"), *span.arguments())


async def _name(connection: Any, documents: Iterable[Any]) -> None:
    """Keep the titles that documents give."""
    rows = [
        (row["region"], row["log"], row["sequence"], path, row["adopted_on"], title)
        for row in documents for path, title in titles(row["body"])
    ]  # fmt: skip
    if rows:
        await connection.copy_records_to_table("titles", records=rows)


def titles(body: bytes) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield (path, title) for the lines and totals that a document names, each path once."""
    _, state = typed_state(body)
    found: dict[tuple[str, ...], str] = {}
    for part in ("totals", "lines"):
        for entry in state["command"].get(part, ()):
            if entry.get("title"):
                found[tuple(entry["line"])] = entry["title"]
    yield from sorted(found.items())


PROJECTION = Projection(
    name=NAME, handled=SUMMED | TITLED, ignored=IGNORED, tables=("sums", "titles", "warnings"),
    apply=apply, folded=SUMMED, fill=fill, flags=True,
)  # fmt: skip
