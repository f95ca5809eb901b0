"""The list of projections, and what a projection is.

A projection is a package: `tables.sql`, and a module `fold` with `PROJECTION`. It names every
event kind as handled or deliberately ignored; a test fails while a registered kind is neither,
and a stored kind that this release does not know parks its budget.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

from ledger.errors import UnknownKind

NAMES = ("budget_execution", "transfers", "special_accounts", "audit_trail")
"""Every projection; the runner follows each on its own, so a slow one delays no other."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which events to apply: after one sequence up to another, of all budgets or of one.

    `parked` is the schema whose parked budgets stay out; with `only` (region, log) none does.
    `kinds` are those that occur, `flagged` tells whether a control flagged any event.
    """

    parked: str
    after: int
    upto: int
    only: tuple[int, int] | None = None
    kinds: frozenset[str] = frozenset()
    flagged: bool = False

    def arguments(self) -> tuple[str, int, int, int | None, int | None]:
        """Return the arguments of the SQL function `projections.moved`."""
        region, log = self.only or (None, None)
        return self.parked, self.after, self.upto, region, log


Apply = Callable[[Any, Span], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Projection:
    """One read model.

    `apply` folds a span inside a transaction whose search path is the projection's schema; it
    is called where a handled kind or, with `flags`, a flagged event occurs.
    `folded` are kinds that the function `fold` of its `fold.sql` folds, alone, if that is all that
    a span holds beside ignored ones: `apply` is then not called.
    `fill` is a faster way for a span that is the whole history, into empty tables.
    `tables` are its tables, each with (region, log) columns, shown to readers as views.
    """

    name: str
    handled: frozenset[str]
    ignored: frozenset[str]
    tables: tuple[str, ...]
    apply: Apply
    folded: frozenset[str] = frozenset()
    fill: Apply | None = None
    flags: bool = False

    @property
    def known(self) -> frozenset[str]:
        """Return every kind the projection has decided about."""
        return self.handled | self.ignored

    @property
    def plain(self) -> frozenset[str]:
        """Return the kinds, of those known, that need no Python."""
        return self.folded & self.handled | self.ignored

    def in_sql(self) -> tuple[list[str], list[str], bool]:
        """Return what `projections.take_step` must know to apply a step by itself."""
        return sorted(self.plain), sorted(self.folded), self.flags

    def refuse_unknown(self, kinds: frozenset[str]) -> None:
        """Raise `UnknownKind` where nobody has decided about a kind."""
        if kinds - self.known:
            unknown = ", ".join(sorted(kinds - self.known))
            raise UnknownKind(f"{self.name} does not know the event kinds {unknown}", kind=unknown)


@cache
def sql(package: str, name: str) -> str:
    """Return a named `.sql` file of a package below `projections` ("" for this one)."""
    place = files(f"projections.{package}" if package else "projections.sql")
    return place.joinpath(f"{name}.sql").read_text(encoding="utf-8")


@cache
def projection(name: str) -> Projection:
    """Return one projection by its name."""
    found: Projection = import_module(f"projections.{name}.fold").PROJECTION
    return found


def projections() -> tuple[Projection, ...]:
    """Return all projections."""
    return tuple(projection(name) for name in NAMES)
