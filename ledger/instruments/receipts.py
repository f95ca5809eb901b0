"""Receipts (түсім, поступление) and refunds of over-paid receipts.

Law: K25 107; K25 107(6): a refund may exceed the day's inflow on its code, so a negative daily
net is legal; the account's cash still never falls below zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ledger.events import Command, Event, Movement, command, event
from ledger.terms import Amount, Day, Party, Path


@dataclass(frozen=True, kw_only=True)
class _Money(Command):
    """What a receipt and a refund have in common."""

    line: Path
    amount_minor: Amount
    value_date: Day
    payer: Party | None = None

    def check(self, case: Any) -> None:
        """Refuse a line that is not of receipts."""
        case.line(self.line)
        section = case.jurisdiction.section(self.line[0])
        case.require(
            section.side == "receipts",
            "wrong-section",
            "receipts come on receipts lines",
            rule="B6",
            line=" / ".join(self.line),
        )


@command("CreditReceipt", action="receive")
@dataclass(frozen=True, kw_only=True)
class CreditReceipt(_Money):
    """Credit money that came in on a receipts code."""

    def decide(self, case: Any) -> Iterator[Event]:
        """Credit a valid receipts line."""
        self.check(case)
        yield case.emit(ReceiptCredited)


@event(
    "budget.receipt.credited",
    example={
        "command": {
            "name": "CreditReceipt",
            "line": ["revenue", "1", "01", "1"],
            "amount_minor": 90000,
            "value_date": "2025-01-10",
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class ReceiptCredited(Event):
    """A receipt was credited."""

    command: CreditReceipt

    def movement(self) -> Movement:
        """Execute the receipts line and add the cash."""
        asked = self.command
        return Movement(
            effective_from=asked.value_date, adopted_on=asked.adopted, line=asked.line,
            amounts={"executed": asked.amount_minor, "cash": asked.amount_minor},
        )  # fmt: skip


@command("RefundReceipt", action="receive", reason=True)
@dataclass(frozen=True, kw_only=True)
class RefundReceipt(_Money):
    """Refund an over-paid receipt on the revenue body's order."""

    def decide(self, case: Any) -> Iterator[Event]:
        """Refund from a valid receipts line; cash is checked as a limit."""
        self.check(case)
        yield case.emit(ReceiptRefunded)


@event(
    "budget.receipt.refunded",
    example={
        "command": {
            "name": "RefundReceipt",
            "line": ["revenue", "1", "01", "1"],
            "amount_minor": 500,
            "value_date": "2025-02-10",
            "reason": "over-paid tax",
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class ReceiptRefunded(Event):
    """A receipt was refunded."""

    command: RefundReceipt

    def movement(self) -> Movement:
        """Take back the receipts line's execution and the cash."""
        asked = self.command
        return Movement(
            effective_from=asked.value_date, adopted_on=asked.adopted, line=asked.line,
            amounts={"executed": -asked.amount_minor, "cash": -asked.amount_minor},
        )  # fmt: skip
