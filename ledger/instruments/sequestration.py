"""Sequestration (секвестр): a cut of spending when receipts fall short.

Law: K25 97, K08 110; I10 (exempt lines untouched), I11 (the executive stays under 10 per cent of
the amended non-exempt total, cumulative in the year; from exactly 10 per cent only the
legislature), I12 (never below what is paid: the limit `appropriation`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from ledger.authority import check_authority
from ledger.cells import BUDGET, Key
from ledger.errors import Refuse
from ledger.events import Command, Event, Movement, command, event
from ledger.exempting import exempt
from ledger.planning import change_plans
from ledger.terms import STRICT, Amount, Day, LinePlan, Path

LAW = "K25 97"


@dataclass(frozen=True, kw_only=True)
class LineCut:
    """A cut of one line, a positive amount."""

    __pydantic_config__ = STRICT
    line: Path
    amount_minor: Amount


@command("SequesterBudget", action="sequester", reason=True)
@dataclass(frozen=True, kw_only=True)
class SequesterBudget(Command):
    """Cut adjusted amounts of lines, with the changes of their plans."""

    effective_from: Day
    lines: tuple[LineCut, ...]
    plans: tuple[LinePlan, ...] = ()

    def decide(self, case: Any) -> Iterator[Event]:
        """Cut known, non-exempt spending lines within what the actor may cut."""
        paths = [part.line for part in self.lines]
        case.require(paths, "empty-document", "the order has no lines", rule="I2")
        case.require(
            len(set(paths)) == len(paths), "duplicate-line", "a line stands twice", rule="I2"
        )
        for path in paths:
            case.line(path)
            section = case.jurisdiction.section(path[0])
            case.require(
                section.side == "spending",
                "wrong-section",
                "only spending is cut",
                rule="I12",
                line=" / ".join(path),
            )
            entry = exempt(case, path, self.effective_from)
            if entry is not None:
                raise Refuse(
                    "line-exempt",
                    f"{' / '.join(path)} is exempt from sequestration"
                    f" ({' / '.join(entry.line or ())} {entry.name or ''})".rstrip(),
                    rule="I10",
                    law=LAW,
                    line=" / ".join(path),
                )
        cut = sum(part.amount_minor for part in self.lines)
        total = self._check_threshold(case, cut)
        yield case.emit(SequestrationOrdered, total_minor=total)
        for part in self.lines:
            yield case.emit(
                SequestrationApplied, line=part.line, amount_minor=part.amount_minor,
                effective_from=self.effective_from, adopted_on=self.adopted,
            )  # fmt: skip
        yield from change_plans(case, self.plans, self.effective_from)

    def _check_threshold(self, case: Any, cut: int) -> int:
        """Refuse the executive from the threshold on; return the year's cumulative cut."""
        total = cut + int(case.facts.get("sequestered_minor", 0))
        base = base_minor(case, self.effective_from)
        below = case.policy("executive-sequestration-below-bps")
        if below is None or total * 10_000 < below * base:
            return total
        try:
            check_authority(
                case.jurisdiction,
                action="sequester-above",
                level=case.level,
                capacity=self.actor.capacity,
                on=self.adopted,
            )
        except Refuse:
            raise Refuse(
                "sequestration-needs-legislature",
                f"the year's cuts reach {below / 100:g} % of the non-exempt amount: only the "
                "legislature may cut that much", rule="I11", law=LAW, cut_minor=cut,
                cumulative_minor=total, base_minor=base, limit_bps=below,
            ) from None  # fmt: skip
        return total


def base_minor(case: Any, on: date) -> int:
    """Return the budget's amended spending that is not exempt on a day, in minor units."""
    total = 0
    for cell in case.own.lines():
        section = case.jurisdiction.section(cell.key[1][0])
        spending = section is not None and section.side == "spending"
        if cell.facts.get("figure") and spending and exempt(case, cell.key[1], on) is None:
            total += cell.total("amended")
    return total


@event(
    "budget.sequestration.ordered",
    example={
        "total_minor": 6000,
        "command": {
            "name": "SequesterBudget",
            "effective_from": "2025-06-01",
            "reason": "receipts fell",
            "lines": [{"line": ["expenditure", "01"], "amount_minor": 6000}],
        },
    },
)
@dataclass(frozen=True, kw_only=True)
class SequestrationOrdered(Event):
    """A sequestration was ordered; `total_minor` is the year's cumulative cut with it."""

    command: SequesterBudget
    total_minor: int

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Remember the year's cumulative cut."""
        yield BUDGET, {"sequestered_minor": self.total_minor}


@event(
    "budget.sequestration.applied",
    example={
        "line": ["expenditure", "01"],
        "amount_minor": 6000,
        "effective_from": "2025-06-01",
        "adopted_on": "2025-06-01",
    },
)
@dataclass(frozen=True, kw_only=True)
class SequestrationApplied(Event):
    """One line's adjusted amount was cut."""

    line: Path
    amount_minor: Amount
    effective_from: Day
    adopted_on: Day

    def movement(self) -> Movement:
        """Cut the adjusted figure."""
        return Movement(
            effective_from=self.effective_from,
            adopted_on=self.adopted_on,
            line=self.line,
            amounts={"adjusted": -self.amount_minor},
        )
