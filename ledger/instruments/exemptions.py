"""Sequestration-exempt lists (секвестрлеуге жатпайтын): dated, by code or by name.

Law: annexes 5 and 6 of the law on the republican budget, the maslikhat's own annex; K25 97. Local
lists give names without codes; a name resolves to a code by its own explicit command, and until
then stays listed as unresolved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ledger.cells import EXEMPT, Key
from ledger.errors import Refuse
from ledger.events import RULEBOOK, Command, Event, command, event
from ledger.exempting import entries, to_fact
from ledger.rules import Exemption, Rules
from ledger.terms import STRICT, Day, LevelNumber, Path, Text


@dataclass(frozen=True, kw_only=True)
class ExemptEntry:
    """One entry of a list: a line, a name, or both; the sector it stands under."""

    __pydantic_config__ = STRICT
    line: Path | None = None
    name: Text | None = None
    sector: Text | None = None


@command("SetExemptList", action="exempt")
@dataclass(frozen=True, kw_only=True)
class SetExemptList(Command):
    """Add a dated list; on the rulebook it holds for all budgets of the given levels."""

    stages = ("rulebook", "opened", "approved")
    effective_from: Day
    effective_until: Day | None = None
    levels: tuple[LevelNumber, ...] = ()
    entries: tuple[ExemptEntry, ...]

    def decide(self, case: Any) -> Iterator[Event]:
        """Set entries that name a valid line or at least a name."""
        case.require(self.entries, "empty-document", "the list has no entries", rule="I10")
        case.require(
            not self.levels or self.budget == RULEBOOK,
            "wrong-level",
            "only a list of the rulebook names levels",
            rule="I10",
        )
        case.require(
            self.effective_until is None or self.effective_from <= self.effective_until,
            "dates-out-of-order",
            "the list ends before it starts",
            rule="I10",
        )
        for entry in self.entries:
            if entry.line is not None:
                case.rules.classification.check(entry.line, self.effective_from, case.jurisdiction)
            elif entry.name is None:
                raise Refuse("empty-document", "an entry has neither line nor name", rule="I10")
        yield case.emit(ExemptListSet)

    def exemptions(self) -> tuple[Exemption, ...]:
        """Return the entries as rules read them."""
        return tuple(
            Exemption(effective_from=self.effective_from, effective_until=self.effective_until,
                      line=entry.line, name=entry.name, levels=self.levels)
            for entry in self.entries
        )  # fmt: skip


@event(
    "budget.exempt_list.set",
    example={
        "command": {
            "name": "SetExemptList",
            "effective_from": "2025-01-01",
            "effective_until": "2025-12-31",
            "entries": [
                {
                    "line": ["expenditure", "06", "213", "027", "142"],
                    "name": "Выплата пенсий и пособий",
                }
            ],
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class ExemptListSet(Event):
    """A list of exempt programmes or subprogrammes came into force."""

    command: SetExemptList

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Remember each entry under the command and its place."""
        if self.originator_id != RULEBOOK:
            yield EXEMPT, {f"{self.command_id}/{place}": to_fact(entry)
                           for place, entry in enumerate(self.command.exemptions())}  # fmt: skip

    def amend_rules(self, rules: Rules) -> Rules:
        """Put the law's list into the rules."""
        return rules.with_exemptions(self.command.exemptions())


@command("ResolveExemptName", action="exempt")
@dataclass(frozen=True, kw_only=True)
class ResolveExemptName(Command):
    """Say which line an exempt name means in this budget, explicitly."""

    stages = ("opened", "approved")
    exempt_name: Text
    line: Path
    effective_from: Day
    effective_until: Day | None = None

    def decide(self, case: Any) -> Iterator[Event]:
        """Resolve a name that a list in force holds to a line of a valid code."""
        known = [entry for entry in entries(case, self.effective_from)
                 if entry.name == self.exempt_name]  # fmt: skip
        case.require(
            known,
            "unknown-exempt-name",
            f"no list in force on {self.effective_from} names {self.exempt_name!r}",
            rule="I10",
            name=self.exempt_name,
        )
        case.require(
            self.effective_until is None or self.effective_from <= self.effective_until,
            "dates-out-of-order",
            "the entry ends before it starts",
            rule="I10",
        )
        yield case.emit(ExemptNameResolved)

    def exemption(self) -> Exemption:
        """Return the resolved entry."""
        return Exemption(
            effective_from=self.effective_from,
            line=self.line,
            effective_until=self.effective_until,
            name=self.exempt_name,
        )


@event(
    "budget.exempt_name.resolved",
    example={
        "command": {
            "name": "ResolveExemptName",
            "effective_from": "2025-01-01",
            "exempt_name": "Пропаганда здорового образа жизни",
            "line": ["expenditure", "05", "253", "006"],
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class ExemptNameResolved(Event):
    """A name of a list was resolved to a line of this budget."""

    command: ResolveExemptName

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Remember the resolved entry."""
        yield EXEMPT, {f"{self.command_id}/0": to_fact(self.command.exemption())}
