"""Monthly financing plans: the rule that several instruments share, and its event.

Law: K25 103, 105. Two plans a spending line (by commitments, by payments), one a receipts line.
A plan month counts from its first day or, when set later, from its legal effect. One line of a
branch carries the plan: a plan above or below another plan of its kind is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from ledger.cells import MONTH
from ledger.dates import month_start
from ledger.errors import Refuse
from ledger.events import Event, Movement, event
from ledger.terms import Change, Day, LinePlan, Month, MonthAmount, Name, Path
from ledger.timelines import ZERO

if TYPE_CHECKING:
    from ledger.decision import Case

PLANS = ("commitments", "payments", "receipts")


@event(
    "budget.plan.month.changed",
    example={
        "line": ["expenditure", "01", "101", "001"],
        "plan": "payments",
        "month": "2025-10",
        "change_minor": -10000,
        "effective_from": "2025-03-06",
        "adopted_on": "2025-03-06",
    },
)
@dataclass(frozen=True, kw_only=True)
class PlanMonthChanged(Event):
    """One month of one line's plan changed by a signed amount."""

    line: Path
    plan: Name
    month: Month
    change_minor: Change
    effective_from: Day
    adopted_on: Day

    def movement(self) -> Movement:
        """Add to the plan of the month."""
        return Movement(
            effective_from=self.effective_from, adopted_on=self.adopted_on, line=self.line,
            month=month_start(self.month), amounts={f"plan_{self.plan}": self.change_minor},
        )  # fmt: skip


def change_plans(
    case: Case, plans: Sequence[LinePlan], effective: date, *, absolute: bool = False
) -> Iterator[Event]:
    """Yield the month changes of some lines' plans.

    `absolute` plans replace every month of the plans they name; others are signed changes.
    """
    if plans and effective not in case.year:
        raise Refuse(
            "outside-fiscal-year",
            f"plans take effect on {effective}, outside the year",
            rule="B6",
            law="K25 101",
            effective=effective,
        )
    for part in plans:
        case.line(part.line)
        for plan in PLANS:
            months: tuple[MonthAmount, ...] = getattr(part, plan)
            if not months:
                continue
            _check_line(case, part.line, plan)
            changes = _replacing if absolute else _changing
            for month, day, change in changes(case, part.line, plan, _months(case, months),
                                              effective):  # fmt: skip
                yield case.emit(PlanMonthChanged, line=part.line, plan=plan, month=month,
                                change_minor=change, effective_from=day,
                                adopted_on=case.command.adopted)  # fmt: skip


def _months(case: Case, months: Sequence[MonthAmount]) -> Mapping[str, int]:
    """Return the amounts by month, months of the fiscal year only, each once."""
    wanted: dict[str, int] = {}
    for part in months:
        if month_start(part.month) not in case.year:
            raise Refuse(
                "outside-fiscal-year",
                f"{part.month} is not a month of the year",
                rule="B6",
                month=part.month,
            )
        if part.month in wanted:
            raise Refuse(
                "duplicate-line", f"{part.month} stands twice", rule="B6", month=part.month
            )
        wanted[part.month] = part.amount_minor
    return wanted


def _changing(
    _case: Case, _line: tuple[str, ...], _plan: str, wanted: Mapping[str, int], effective: date
) -> Iterator[tuple[str, date, int]]:
    """Yield (month, effective day, change) of signed changes."""
    for month in sorted(wanted):
        if wanted[month]:
            yield month, effective, wanted[month]


def _replacing(
    case: Case, line: tuple[str, ...], plan: str, wanted: Mapping[str, int], effective: date
) -> Iterator[tuple[str, date, int]]:
    """Yield (month, effective day, change) that give every month its amount from a day on.

    Changes that were to take effect later are cancelled on their day: the plan is whole.
    """
    cell = case.own.get(("line", line))
    prefix = f"plan_{plan}{MONTH}"
    current = {name.removeprefix(prefix): timeline
               for name, timeline in (cell.measures if cell else {}).items()
               if name.startswith(prefix)}  # fmt: skip
    for month in sorted({*wanted, *current}):
        timeline = current.get(month, ZERO)
        start = max(effective, month_start(month)).toordinal()
        given = 0
        for day in (start, *timeline.after(start)):
            want = wanted.get(month, 0) - timeline.at(day)
            if want != given:
                yield month, effective if day == start else date.fromordinal(day), want - given
            given = want


def _check_line(case: Case, line: tuple[str, ...], plan: str) -> None:
    """Refuse a plan on the wrong side of the budget, or nested with another of its kind."""
    section = case.jurisdiction.section(line[0])
    side = "receipts" if plan == "receipts" else "spending"
    if section is None or section.side != side:
        raise Refuse(
            "wrong-plan",
            f"a plan of {plan} belongs to {side}, not to {line[0]}",
            rule="B6",
            law="K25 103",
            line=" / ".join(line),
        )
    prefix = f"plan_{plan}{MONTH}"
    for cell in case.own.lines():
        path = cell.key[1]
        depth = min(len(path), len(line))
        if (
            path != line
            and path[:depth] == line[:depth]
            and any(name.startswith(prefix) for name in cell.measures)
        ):
            raise Refuse(
                "nested-line",
                f"{' / '.join(path)} carries the plan already",
                rule="I2",
                law="K25 103",
                line=" / ".join(line),
            )
