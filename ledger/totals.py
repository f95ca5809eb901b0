"""A fold of one budget's events into sums: the judge that knows no cell.

Any reader of the log can use it; the `eventsourcing` library does (`ledger.library`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from ledger.cells import Key
from ledger.errors import Corrupt
from ledger.events import Event


class Place(NamedTuple):
    """What amounts of one measure are summed by; `day` is when they begin to count."""

    measure: str
    day: date
    month: date | None
    line: tuple[str, ...]
    contract: str | None
    payment: UUID | None
    account: str | None


class BudgetTotals:
    """One budget folded from its events by `movement()`: an aggregate for `Repository.get`."""

    def __init__(self, budget: str) -> None:
        """Start at position 0."""
        self.id = budget
        self.version = 0
        self.amounts: defaultdict[Place, int] = defaultdict(int)
        self.facts: dict[Key, dict[str, Any]] = {}

    def apply(self, event: Event) -> None:
        """Add the next event. Raises `Corrupt` for one of another log or out of order."""
        if (event.originator_id, event.originator_version) != (self.id, self.version + 1):
            msg = f"{event.originator_id}:{event.originator_version} cannot follow {self.version}"
            raise Corrupt(msg, budget=self.id, position=self.version)
        self.version += 1
        move = event.movement()
        for measure, amount in move.amounts.items():
            self.amounts[
                Place(
                    measure,
                    move.counts_from,
                    move.month,
                    move.line or (),
                    move.contract,
                    move.payment,
                    move.account,
                )
            ] += amount
        for key, facts in event.facts():
            merged = {**self.facts.get(key, {}), **facts}
            self.facts[key] = {k: v for k, v in merged.items() if v is not None}

    def total(
        self, measure: str, *, line: tuple[str, ...] = (), on: date = date.max, **same: Any
    ) -> int:
        """Sum a measure in minor units: at and below a line, by a day, with the named equals.

        `same` takes month, contract, payment and account, for example `account=None`.
        """
        return sum(
            amount for place, amount in self.amounts.items()
            if place.measure == measure and place.day <= on and place.line[: len(line)] == line
            and all(getattr(place, name) == value for name, value in same.items())
        )  # fmt: skip


def fold_budget(totals: BudgetTotals | None, events: Iterable[Event]) -> BudgetTotals | None:
    """Fold events into totals: the `projector_func` of `Repository.get`."""
    for event in events:
        totals = totals or BudgetTotals(event.originator_id)
        totals.apply(event)
    return totals
