"""Financing plans (қаржыландыру жоспары): set whole, or changed month by month.

Law: K25 103, 105; the plans of other documents (amendment, adjustment, sequestration) travel
with those documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ledger.errors import Refuse
from ledger.events import Command, Event, command, event
from ledger.planning import change_plans
from ledger.terms import Day, LinePlan


@command("SetPlan", action="plan")
@dataclass(frozen=True, kw_only=True)
class SetPlan(Command):
    """Set plans of lines: the months given replace all months of the plans they name."""

    effective_from: Day
    lines: tuple[LinePlan, ...]

    def decide(self, case: Any) -> Iterator[Event]:
        """Set months of zero or more (of a contra line: zero or less)."""
        for part in self.lines:
            months = (*part.commitments, *part.payments, *part.receipts)
            sign = case.sign(part.line)
            low = next((month for month in months if sign * month.amount_minor < 0), None)
            if low is not None:
                raise Refuse(
                    "negative-amount",
                    f"the plan of {low.month} has the wrong sign",
                    rule="B6",
                    line=" / ".join(part.line),
                    month=low.month,
                )
        yield case.emit(PlanSet)
        yield from change_plans(case, self.lines, self.effective_from, absolute=True)


@event(
    "budget.plan.set",
    example={
        "command": {
            "name": "SetPlan",
            "effective_from": "2025-01-05",
            "lines": [
                {
                    "line": ["expenditure", "01"],
                    "payments": [{"month": "2025-01", "amount_minor": 25000}],
                }
            ],
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class PlanSet(Event):
    """Plans were set; the changes by month follow."""

    command: SetPlan


@command("ChangePlan", action="plan")
@dataclass(frozen=True, kw_only=True)
class ChangePlan(Command):
    """Change plans of lines by signed amounts by month."""

    effective_from: Day
    lines: tuple[LinePlan, ...]

    def decide(self, case: Any) -> Iterator[Event]:
        """Change months; the cumulative plan stays zero or more."""
        yield case.emit(PlanChanged)
        yield from change_plans(case, self.lines, self.effective_from)


@event(
    "budget.plan.changed",
    example={
        "command": {
            "name": "ChangePlan",
            "effective_from": "2025-04-10",
            "lines": [
                {
                    "line": ["expenditure", "01"],
                    "payments": [{"month": "2025-07", "amount_minor": -20000}],
                }
            ],
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class PlanChanged(Event):
    """Plans were changed; the changes by month follow."""

    command: ChangePlan
