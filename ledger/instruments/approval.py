"""Approval of a budget (бекіту, утверждение): header and lines, balance and sums.

Law: K25 9, 86-92; invariants I1 (balance identity), I2 (hierarchy sums). An approval is a header
event plus one event a line under one command.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from ledger.balance import check_document
from ledger.cells import BUDGET, Key
from ledger.events import Command, Event, Movement, command, event
from ledger.terms import AnyAmount, Balance, Day, LineAmount, Path, Text, Total


@command("ApproveBudget", action="legislate")
@dataclass(frozen=True, kw_only=True)
class ApproveBudget(Command):
    """Approve the budget: every line with its amount, the document's control totals and V."""

    stages = ("opened",)
    effective_from: Day
    lines: tuple[LineAmount, ...]
    totals: tuple[Total, ...] = ()
    balance_minor: Balance = None

    def decide(self, case: Any) -> Iterator[Event]:
        """Approve lines that are distinct, of one depth per branch, balanced and summed up."""
        check_document(
            case,
            {part.line: part.amount_minor for part in self.lines},
            self.lines,
            self.totals,
            self.balance_minor,
        )
        yield case.emit(BudgetApproved)
        for part in self.lines:
            yield case.emit(
                LineApproved, line=part.line, amount_minor=part.amount_minor,
                contra=part.contra, title=part.title, effective_from=self.effective_from,
                adopted_on=self.adopted,
            )  # fmt: skip


@event(
    "budget.approved",
    example={
        "command": {
            "name": "ApproveBudget",
            "effective_from": "2025-01-01",
            "balance_minor": 0,
            "lines": [
                {"line": ["revenue", "1"], "amount_minor": 200000},
                {"line": ["expenditure", "01"], "amount_minor": 200000},
            ],
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class BudgetApproved(Event):
    """The budget was approved (утвержденный бюджет); its lines follow."""

    command: ApproveBudget

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Move the budget to its next stage."""
        yield BUDGET, {"stage": "approved", "legislated_on": self.command.adopted.isoformat()}


@event(
    "budget.line.approved",
    example={
        "line": ["expenditure", "01", "101", "001"],
        "amount_minor": 1933631300000,
        "effective_from": "2025-01-01",
        "adopted_on": "2024-12-04",
        "title": "Обеспечение деятельности Главы государства",
    },
)
@dataclass(frozen=True, kw_only=True)
class LineApproved(Event):
    """One line of the approved budget: the same figure approved, amended and adjusted."""

    line: Path
    amount_minor: AnyAmount
    effective_from: Day
    adopted_on: Day
    contra: bool = False
    title: Text | None = None

    def movement(self) -> Movement:
        """Set all three figures."""
        effective: date = self.effective_from
        amount = self.amount_minor
        return Movement(
            effective_from=effective,
            adopted_on=self.adopted_on,
            line=self.line,
            amounts={"approved": amount, "amended": amount, "adjusted": amount},
        )

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Remember that the line has a figure of its own."""
        yield ("line", self.line), {"figure": True, **({"contra": True} if self.contra else {})}
