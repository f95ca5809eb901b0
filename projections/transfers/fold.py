"""How events become facts of transfers. They are few, so each body is read."""

from __future__ import annotations

from typing import Any

from ledger.events import typed_state
from projections.registry import Projection, Span, sql

NAME = "transfers"
HANDLED = frozenset({"budget.transfer.set", "budget.transfer.sent", "budget.transfer.received"})
IGNORED = frozenset({
    "ledger.command.refused", "ledger.annex.erased",
    "budget.opened", "budget.approved", "budget.amended",
    "budget.adjusted", "budget.line.approved", "budget.line.amended", "budget.line.adjusted",
    "budget.sequestration.ordered", "budget.sequestration.applied", "budget.plan.set",
    "budget.plan.changed", "budget.plan.month.changed", "budget.commitment.registered",
    "budget.commitment.changed", "budget.commitment.cancelled", "budget.payment.executed",
    "budget.payment.rejected", "budget.payment.returned", "budget.cash_expenditure.recovered",
    "budget.receipt.credited", "budget.receipt.refunded", "budget.exempt_list.set",
    "budget.exempt_name.resolved", "budget.special_account.opened",
    "budget.special_account.credited", "budget.special_account.debited",
    "budget.special_account.closed", "rulebook.jurisdiction.adopted",
    "rulebook.classifier.published",
})  # fmt: skip
"""Everything that is no transfer between budgets."""
COLUMNS = ("region", "log", "sequence", "kind", "transfer", "payer", "receiver", "side",
           "amount_minor", "purpose", "act", "effective_from", "adopted_on")  # fmt: skip


async def apply(connection: Any, span: Span) -> None:
    """Keep the facts of a span."""
    rows = await connection.fetch(sql("", "documents"), *span.arguments(), sorted(HANDLED))
    if rows:
        records = [fact(row) for row in rows]
        await connection.copy_records_to_table("facts", records=records, columns=COLUMNS)


def fact(row: Any) -> tuple[Any, ...]:
    """Return one event's fact in the order of the columns; amounts in minor units."""
    _, state = typed_state(row["body"])
    asked = state.get("command", state)
    own = row["code"]
    if row["kind"] == "budget.transfer.set":
        side, peer = asked["side"], asked["peer"]
    else:
        side = "pays" if row["kind"] == "budget.transfer.sent" else "receives"
        peer = state["peer"]
    payer, receiver = (own, peer) if side == "pays" else (peer, own)
    return (
        row["region"], row["log"], row["sequence"], row["kind"], asked["transfer"], payer,
        receiver, side, asked["amount_minor"], asked.get("purpose"),
        asked.get("act", {}).get("id"), row["effective_from"], row["adopted_on"],
    )  # fmt: skip


PROJECTION = Projection(name=NAME, handled=HANDLED, ignored=IGNORED, tables=("facts",), apply=apply)
