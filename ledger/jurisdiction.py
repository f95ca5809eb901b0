"""The rulebook's data: currency, calendar, levels, sections and dimensions, controls, policies.

A jurisdiction is one document, adopted as an event of the rulebook log; everything in it that
may change is dated, so a decision of 2004 and one of 2026 both find the answer of their time.
Kazakhstan ships as `deploy/jurisdictions/kz.toml`; another country is another file, not code.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ledger.dates import FiscalYear
from ledger.errors import Invalid
from ledger.terms import STRICT


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One step of a line's path: its name and the form of its codes (width in digits, 0 = free)."""

    __pydantic_config__ = STRICT
    name: str
    width: int = 0


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the budget: its side, its sign in I - II - III - IV = V and its dimensions.

    `side` is "receipts" or "spending"; `identity` is +1 or -1 in the balance, 0 for financing;
    `financing` is the sign in VI/VII = -V (K25 9, K08 13).
    """

    __pydantic_config__ = STRICT
    name: str
    side: str
    title: str
    identity: int = 0
    financing: int = 0
    part: str = ""
    dimensions: tuple[Dimension, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Dated:
    """Something that holds from `since` to `until` (inclusive), with its law."""

    __pydantic_config__ = STRICT
    since: date
    until: date | None = None
    levels: tuple[int, ...] = ()
    law: str = ""

    def holds(self, level: int, on: date) -> bool:
        """Tell whether it applies to a level of budget on a day (no levels = all levels)."""
        return (
            self.since <= on
            and (self.until is None or on <= self.until)
            and (not self.levels or level in self.levels)
        )


@dataclass(frozen=True, kw_only=True)
class Control(Dated):
    """A limit and how hard it is: "stop", "warn" or "off", with a tolerance in minor units."""

    control: str
    mode: str
    tolerance_minor: int = 0


@dataclass(frozen=True, kw_only=True)
class Policy(Dated):
    """A dated number, day or list that a rule reads: "registration-closes" = "12-20"."""

    policy: str
    value: int | str | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Authority(Dated):
    """Who may do an action at a level (spec E1): the capacities that may act."""

    action: str
    capacities: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Level:
    """A level of budget."""

    __pydantic_config__ = STRICT
    level: int
    title: str


@dataclass(frozen=True, kw_only=True)
class Jurisdiction:
    """Everything a state fixes for its budgets."""

    __pydantic_config__ = STRICT
    code: str
    title: str
    currency: str
    minor_digits: int
    timezone: str
    year_starts: str
    levels: tuple[Level, ...]
    sections: tuple[Section, ...]
    controls: tuple[Control, ...] = ()
    policies: tuple[Policy, ...] = ()
    authority: tuple[Authority, ...] = ()

    @cached_property
    def _by_name(self) -> dict[str, Section]:
        """Sections by name."""
        return {section.name: section for section in self.sections}

    def _remember(self, asked: tuple[Any, ...], answer: Any) -> Any:
        """Keep an answer; many are forgotten together."""
        if len(self._found) >= REMEMBERED_MAX:
            self._found.clear()
        self._found[asked] = answer
        return answer

    @cached_property
    def _found(self) -> dict[tuple[Any, ...], Any]:
        """Answers that were given before: decisions ask the same few questions all day."""
        return {}

    def section(self, name: str) -> Section | None:
        """Return the section of that name."""
        return self._by_name.get(name)

    def fiscal_year(self, year: int) -> FiscalYear:
        """Return the budget year named by the calendar year it starts in."""
        found: FiscalYear | None = self._found.get(("year", year))
        if found is None:
            found = self._remember(("year", year), FiscalYear.of(year, self.year_starts))
        return found

    def allows(self, action: str, capacity: str, level: int, on: date) -> bool:
        """Tell whether a rule of authority in force lets a capacity act."""
        asked = ("allows", action, capacity, level, on)
        found = self._found.get(asked)
        if found is None:
            found = self._remember(asked, any(
                rule.action == action and capacity in rule.capacities and rule.holds(level, on)
                for rule in self.authority
            ))  # fmt: skip
        return bool(found)

    def control(self, name: str, level: int, on: date) -> Control:
        """Return the control in force; the latest `since` wins; none declared means "off"."""
        asked = ("control", name, level, on)
        found: Control | None = self._found.get(asked)
        if found is None:
            held = [c for c in self.controls if c.control == name and c.holds(level, on)]
            found = max(held, key=lambda c: c.since, default=_OFF)
            self._remember(asked, found)
        return found

    @cached_property
    def _control_days(self) -> tuple[int, ...]:
        """Days (ordinals) on which a control begins or has ended."""
        return tuple(sorted(
            {c.since.toordinal() for c in self.controls}
            | {c.until.toordinal() + 1 for c in self.controls if c.until is not None}
        ))  # fmt: skip

    def control_period(self, day: int) -> int:
        """Return which stretch of days with unchanged controls a day (an ordinal) lies in."""
        return bisect_right(self._control_days, day)

    def policy(self, name: str, level: int, on: date) -> Policy | None:
        """Return the policy in force; the latest `since` wins."""
        asked = ("policy", name, level, on)
        if asked not in self._found:
            held = [p for p in self.policies if p.policy == name and p.holds(level, on)]
            self._remember(asked, max(held, key=lambda p: p.since, default=None))
        found: Policy | None = self._found[asked]
        return found


REMEMBERED_MAX = 100_000
"""Most answers remembered by a jurisdiction."""
_OFF = Control(control="", mode="off", since=date.min)


@cache
def _checker() -> TypeAdapter[Jurisdiction]:
    """Return the checker of jurisdiction documents, built once."""
    return TypeAdapter(Jurisdiction)


def read_jurisdiction(document: dict[str, Any]) -> Jurisdiction:
    """Read a jurisdiction document (TOML or stored JSON). Raises `Invalid` naming each place."""
    try:
        return _checker().validate_python(document)
    except ValidationError as error:
        places = [
            {"place": ".".join(str(step) for step in problem["loc"]), "reason": problem["msg"]}
            for problem in error.errors(include_url=False, include_input=False)
        ]
        msg = f"the jurisdiction has {len(places)} unreadable field(s)"
        raise Invalid(msg, errors=places) from None
