"""How events become movements of special accounts: set-wise from the typed columns."""

from __future__ import annotations

from typing import Any

from projections.registry import Projection, Span, sql

NAME = "special_accounts"
HANDLED = frozenset({
    "budget.special_account.opened", "budget.special_account.credited",
    "budget.special_account.debited", "budget.special_account.closed",
})  # fmt: skip
IGNORED = frozenset({
    "ledger.command.refused", "ledger.annex.erased",
    "budget.opened", "budget.approved", "budget.amended",
    "budget.adjusted", "budget.line.approved", "budget.line.amended", "budget.line.adjusted",
    "budget.sequestration.ordered", "budget.sequestration.applied", "budget.plan.set",
    "budget.plan.changed", "budget.plan.month.changed", "budget.commitment.registered",
    "budget.commitment.changed", "budget.commitment.cancelled", "budget.payment.executed",
    "budget.payment.rejected", "budget.payment.returned", "budget.cash_expenditure.recovered",
    "budget.receipt.credited", "budget.receipt.refunded", "budget.exempt_list.set",
    "budget.exempt_name.resolved", "budget.transfer.set", "budget.transfer.sent",
    "budget.transfer.received", "rulebook.jurisdiction.adopted", "rulebook.classifier.published",
})  # fmt: skip
"""Everything inside the budget's totals."""


async def apply(connection: Any, span: Span) -> None:
    """Keep the movements of a span."""
    await connection.execute(sql("", "fold"), *span.arguments(), sorted(HANDLED))


PROJECTION = Projection(
    name=NAME, handled=HANDLED, ignored=IGNORED, tables=("movements",), apply=apply,
    folded=HANDLED,
)  # fmt: skip
