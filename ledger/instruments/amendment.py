"""Amendment by the legislature (нақтылау, уточнение): new amounts, mostly retroactive.

Law: K25 93-94; an amendment absorbs the executive's adjustments of its lines (K25 98(1)): from
its effective day on the adjusted figure is the amended one, so it may write further days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from ledger.balance import check_document
from ledger.cells import BUDGET, Cell, Key
from ledger.events import Command, Event, Movement, command, event
from ledger.planning import change_plans
from ledger.terms import Balance, Day, LineAmount, LinePlan, Path, Signed, Text, Total


@command("AmendBudget", action="legislate", reason=True)
@dataclass(frozen=True, kw_only=True)
class AmendBudget(Command):
    """Give named lines their new amended amounts; other lines stay."""

    effective_from: Day
    lines: tuple[LineAmount, ...]
    totals: tuple[Total, ...] = ()
    balance_minor: Balance = None
    plans: tuple[LinePlan, ...] = ()
    plans_effective_from: Day | None = None

    def decide(self, case: Any) -> Iterator[Event]:
        """Amend if the whole budget still balances and the act is not older than the last."""
        last = date.fromisoformat(case.facts.get("legislated_on", date.min.isoformat()))
        case.require(
            last <= self.adopted,
            "dates-out-of-order",
            f"the last act was adopted on {last}, this one on {self.adopted}",
            rule="B1",
            last_adopted_on=last,
            adopted_on=self.adopted,
        )
        result = {cell.key[1]: cell.total("amended") for cell in case.own.lines()
                  if cell.facts.get("figure")}  # fmt: skip
        result |= {part.line: part.amount_minor for part in self.lines}
        check_document(case, result, self.lines, self.totals, self.balance_minor)
        for part in self.lines:
            cell = case.own.get(("line", part.line))
            case.require(
                not part.contra or cell is None or not cell.facts.get("figure")
                or cell.facts.get("contra"), "contra-changed",
                f"{' / '.join(part.line)} is no contra line", rule="I27",
                line=" / ".join(part.line),
            )  # fmt: skip
        yield case.emit(BudgetAmended)
        for part in self.lines:
            cell = case.own.cell_or_new(("line", part.line))
            for day, amended, adjusted in steps(cell, part.amount_minor, self.effective_from):
                yield case.emit(
                    LineAmended, line=part.line, amended_minor=amended, adjusted_minor=adjusted,
                    effective_from=day, adopted_on=self.adopted, contra=part.contra,
                    title=part.title,
                )  # fmt: skip
        effective = self.plans_effective_from or self.effective_from
        yield from change_plans(case, self.plans, effective)


def steps(cell: Cell, amount: int, since: date) -> Iterator[tuple[date, int, int]]:
    """Yield (day, amended change, adjusted change) that bring both figures to the amount.

    From `since` on, both figures are `amount` on every day; earlier days stay as they are.
    """
    amended, adjusted = cell.timeline("amended"), cell.timeline("adjusted")
    start = since.toordinal()
    later = sorted({*amended.after(start), *adjusted.after(start)})
    given = (0, 0)
    for day in (start, *later):
        want = (amount - amended.at(day), amount - adjusted.at(day))
        change = (want[0] - given[0], want[1] - given[1])
        if change != (0, 0) or (day == start and "amended" not in cell.measures):
            yield date.fromordinal(day), *change
        given = want


@event(
    "budget.amended",
    example={
        "command": {
            "name": "AmendBudget",
            "effective_from": "2025-01-01",
            "reason": "receipts above plan",
            "balance_minor": 0,
            "lines": [
                {"line": ["revenue", "1"], "amount_minor": 230000},
                {"line": ["expenditure", "01"], "amount_minor": 230000},
            ],
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class BudgetAmended(Event):
    """The legislature amended the budget (уточненный бюджет); its lines follow."""

    command: AmendBudget

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Remember the day of the last act."""
        yield BUDGET, {"legislated_on": self.command.adopted.isoformat()}


@event(
    "budget.line.amended",
    example={
        "line": ["expenditure", "01"],
        "amended_minor": 20000,
        "adjusted_minor": 10000,
        "effective_from": "2025-01-01",
        "adopted_on": "2025-04-10",
    },
)
@dataclass(frozen=True, kw_only=True)
class LineAmended(Event):
    """One line changed by an amendment on one effective day: signed changes of both figures."""

    line: Path
    amended_minor: Signed
    adjusted_minor: Signed
    effective_from: Day
    adopted_on: Day
    contra: bool = False
    title: Text | None = None

    def movement(self) -> Movement:
        """Change the amended and the adjusted figure."""
        return Movement(
            effective_from=self.effective_from, adopted_on=self.adopted_on, line=self.line,
            amounts={"amended": self.amended_minor, "adjusted": self.adjusted_minor},
        )  # fmt: skip

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Remember that the line has a figure of its own."""
        yield ("line", self.line), {"figure": True, **({"contra": True} if self.contra else {})}
