"""The rulebook as of a position: everything a decision may look up that is not a cell.

A fold of the rulebook log. A decision records the position it used (`rules_at`), so a replay
years later decides the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from ledger.classification import Classification, Classifier
from ledger.errors import Broken
from ledger.jurisdiction import Control, Jurisdiction, Policy, Section

CHECKED_MAX = 50_000
"""Most valid lines remembered."""


@dataclass(frozen=True, kw_only=True)
class Exemption:
    """One entry of a sequestration-exempt list: a path, or a name that resolves to none yet."""

    effective_from: date
    effective_until: date | None
    line: tuple[str, ...] | None = None
    name: str | None = None
    levels: tuple[int, ...] = ()

    def holds(self, level: int, on: date) -> bool:
        """Tell whether the entry is in force at a level on a day."""
        return (
            self.effective_from <= on
            and (self.effective_until is None or on <= self.effective_until)
            and (not self.levels or level in self.levels)
        )


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Jurisdiction, classification and the law's exempt lists at a position of the rulebook."""

    position: int = 0
    adopted: Jurisdiction | None = None
    classification: Classification = field(default_factory=Classification)
    exemptions: tuple[Exemption, ...] = ()

    @property
    def jurisdiction(self) -> Jurisdiction:
        """Return the jurisdiction. Raises `Broken` while the ledger has none."""
        if self.adopted is None:
            msg = "the ledger has no jurisdiction yet"
            raise Broken(msg)
        return self.adopted

    def control(self, name: str, level: int, on: date) -> Control:
        """Return how hard a limit is at a level on a day."""
        return self.jurisdiction.control(name, level, on)

    def control_period(self, day: int) -> int:
        """Return which stretch of days with unchanged controls a day (an ordinal) lies in."""
        return self.adopted.control_period(day) if self.adopted else 0

    def policy(self, name: str, level: int, on: date) -> Policy | None:
        """Return a dated policy, or None."""
        return self.jurisdiction.policy(name, level, on)

    @cached_property
    def _checked(self) -> dict[tuple[tuple[str, ...], date], Section]:
        """Lines that were found valid before, by day."""
        return {}

    def check_line(self, path: tuple[str, ...], on: date) -> Section:
        """Return a line's section; refuse a line whose codes are not valid on a day (I26)."""
        asked = (path, on)
        found = self._checked.get(asked)
        if found is None:
            found = self.classification.check(path, on, self.jurisdiction)
            if len(self._checked) >= CHECKED_MAX:
                self._checked.clear()
            self._checked[asked] = found
        return found

    def with_jurisdiction(self, adopted: Jurisdiction) -> Rules:
        """Return the rules with another jurisdiction."""
        return replace(self, adopted=adopted)

    def with_classifier(self, version: Classifier) -> Rules:
        """Return the rules with one more classifier version."""
        return replace(self, classification=self.classification.published(version))

    def with_exemptions(self, entries: tuple[Exemption, ...]) -> Rules:
        """Return the rules with more exempt entries."""
        return replace(self, exemptions=self.exemptions + entries)

    def at(self, position: int) -> Rules:
        """Return the rules as of a position."""
        return replace(self, position=position)
