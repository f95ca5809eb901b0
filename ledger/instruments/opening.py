"""Opening a budget: one budget of one fiscal year becomes a log of its own.

Law: K25 7 (levels), K25 106 (cash control account of each budget); region as in design §1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ledger.cells import BUDGET, Key
from ledger.events import RULEBOOK, Command, Event, command, event
from ledger.terms import BudgetCode, LevelNumber, RegionNumber, Text, YearNumber


@command("OpenBudget", action="open")
@dataclass(frozen=True, kw_only=True)
class OpenBudget(Command):
    """Open the log of a budget: its region, level, year and title."""

    stages = ("none",)
    timeless = True
    region: RegionNumber
    level: LevelNumber
    year: YearNumber
    title: Text
    parent: BudgetCode | None = None

    def decide(self, case: Any) -> Iterator[Event]:
        """Open a budget of a known level whose code says its year."""
        case.require(self.budget != RULEBOOK, "wrong-stage", "the rulebook is no budget", rule="I4")
        known = [level.level for level in case.jurisdiction.levels]
        case.require(
            self.level in known,
            "unknown-level",
            f"level {self.level} is none of {known}",
            rule="A38",
            level=self.level,
        )
        case.require(
            self.budget.split("-")[1] == str(self.year),
            "wrong-year",
            f"the code {self.budget} does not name the year {self.year}",
            rule="B1",
            year=self.year,
        )
        yield case.emit(BudgetOpened)


@event(
    "budget.opened",
    example={
        "command": {
            "name": "OpenBudget",
            "region": 19,
            "level": 2,
            "year": 2025,
            "title": "Алматинская область",
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class BudgetOpened(Event):
    """A budget was opened."""

    command: OpenBudget

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Remember what the budget is."""
        asked = self.command
        yield (
            BUDGET,
            {
                "stage": "opened",
                "region": asked.region,
                "level": asked.level,
                "year": asked.year,
                "title": asked.title,
                "parent": asked.parent,
            },
        )
