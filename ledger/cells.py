"""Control balances and their limits.

A cell holds, for one line, contract, account or the budget itself, the sums of the typed columns
of its events: per measure a sparse timeline of effective days. A command effective at or after
a timeline's end compares one number; only a backdated one walks the tail and is refused if any
later instant would break. Everything here is immutable and pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson

from ledger.errors import BrokenLimit, Refuse
from ledger.events import Movement

Key = tuple[str, Any]
"""Address of a cell in its budget: (kind, id); kinds are "budget", "line", "contract",
"payment", "account", "exempt"; the id of a line is its path."""

BUDGET: Key = ("budget", "")
EXEMPT: Key = ("exempt", "")
ROLLING = ("approved", "amended", "adjusted", "plan_receipts", "plan_commitments",
           "plan_payments", "accepted", "executed")  # fmt: skip


SUM_MAX = 2**63 - 1
"""Largest sum in a cell, in minor units: a bigint of the database."""
MONTH = "@"
"""Separates plan and month in the measures that keep a line's own plan: `plan_payments@2025-01`,
a timeline by the day from which each change counts."""


class Timeline:
    """Sums of one measure by effective day: `days` ascending ordinals, `sums` cumulative."""

    __slots__ = ("days", "sums")

    def __init__(self, days: tuple[int, ...] = (), sums: tuple[int, ...] = ()) -> None:
        """Take ascending day ordinals and the cumulative sum from each day on."""
        self.days = days
        self.sums = sums

    @property
    def total(self) -> int:
        """Sum over the whole year."""
        return self.sums[-1] if self.sums else 0

    @property
    def last_day(self) -> int:
        """Last day with a change, 0 for none."""
        return self.days[-1] if self.days else 0

    def at(self, day: int) -> int:
        """Sum of all changes effective by a day."""
        place = bisect_right(self.days, day)
        return self.sums[place - 1] if place else 0

    def add(self, day: int, amount: int) -> Timeline:
        """Return the timeline with one more change."""
        if not self.days or day > self.days[-1]:
            return Timeline((*self.days, day), (*self.sums, self.total + amount))
        place = bisect_right(self.days, day)
        if self.days[place - 1] == day and place:
            tail = tuple(total + amount for total in self.sums[place - 1 :])
            return Timeline(self.days, self.sums[: place - 1] + tail)
        before = self.sums[place - 1] if place else 0
        tail = tuple(total + amount for total in self.sums[place:])
        return Timeline(
            (*self.days[:place], day, *self.days[place:]),
            (*self.sums[:place], before + amount, *tail),
        )

    def plus(self, other: Timeline) -> Timeline:
        """Return the sum of two timelines."""
        result = self
        previous = 0
        for day, total in zip(other.days, other.sums, strict=True):
            result = result.add(day, total - previous)
            previous = total
        return result

    def __eq__(self, other: object) -> bool:
        """Compare by content."""
        return isinstance(other, Timeline) and (self.days, self.sums) == (other.days, other.sums)

    def __hash__(self) -> int:
        """Hash by content."""
        return hash((self.days, self.sums))

    def __repr__(self) -> str:
        """Show days and sums."""
        return f"Timeline({self.days}, {self.sums})"


ZERO = Timeline()


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One control balance: facts (a status, a purpose) and a timeline per measure."""

    key: Key
    number: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    measures: Mapping[str, Timeline] = field(default_factory=dict)

    def timeline(self, measure: str) -> Timeline:
        """Return a measure's timeline, empty where nothing was posted."""
        return self.measures.get(measure, ZERO)

    def total(self, measure: str) -> int:
        """Return a measure's sum over the whole year."""
        return self.timeline(measure).total

    def add(self, measure: str, day: int, amount: int) -> Cell:
        """Return the cell with one more change of a measure."""
        measures = {**self.measures, measure: self.timeline(measure).add(day, amount)}
        return Cell(key=self.key, number=self.number, facts=self.facts, measures=measures)

    def know(self, facts: Mapping[str, Any]) -> Cell:
        """Return the cell with changed facts; None removes one."""
        merged = {k: v for k, v in {**self.facts, **facts}.items() if v is not None}
        return Cell(key=self.key, number=self.number, facts=merged, measures=self.measures)

    def encode(self) -> bytes:
        """Write facts and timelines as the stored bytes of the cell."""
        lines = {name: [line.days, line.sums] for name, line in self.measures.items()}
        return orjson.dumps([self.facts, lines], option=orjson.OPT_SORT_KEYS)

    @classmethod
    def read(cls, key: Key, number: int, stored: bytes) -> Cell:
        """Read a stored cell."""
        facts, lines = orjson.loads(stored)
        measures = {name: Timeline(tuple(days), tuple(sums)) for name, (days, sums) in
                    lines.items()}  # fmt: skip
        return cls(key=key, number=number, facts=facts, measures=measures)


class Missing(Exception):
    """Raised when a decision needs a cell that is not loaded; the store loads it and retries."""

    def __init__(self, code: str, key: Key | None) -> None:
        """Name the budget and the cell (None = the budget's own cells as a whole)."""
        super().__init__(code, key)
        self.code = code
        self.key = key


class BudgetState:
    """The cells of one budget: what commands are decided against.

    `cells` maps keys to cells; None marks a cell known not to exist. Lines, accounts and the
    budget's own cell are all loaded at once; contracts and payments when first named.
    """

    __slots__ = ("cells", "code", "head", "log", "position", "recorded_at", "region")

    def __init__(self, code: str, region: int, log: int) -> None:
        """Start an empty budget: position 0 and no cells."""
        self.code = code
        self.region = region
        self.log = log
        self.position = 0
        self.head = b""
        self.recorded_at = 0
        self.cells: dict[Key, Cell | None] = {}

    def get(self, key: Key) -> Cell | None:
        """Return a cell or None; raise `Missing` for a contract or payment not yet loaded."""
        if key in self.cells:
            return self.cells[key]
        if key[0] in ("contract", "payment"):
            raise Missing(self.code, key)
        return None

    def lines(self) -> Iterator[Cell]:
        """Yield the cells of all lines."""
        for key, cell in self.cells.items():
            if key[0] == "line" and cell is not None:
                yield cell

    def overlay(self) -> Overlay:
        """Return a scratch copy on which events are tried."""
        return Overlay(self)


class Overlay:
    """Cells changed by the events of one command, on top of a budget's state."""

    __slots__ = ("base", "changed", "since")

    def __init__(self, base: BudgetState) -> None:
        """Start without changes."""
        self.base = base
        self.changed: dict[Key, Cell] = {}
        self.since: dict[Key, int] = {}

    def get(self, key: Key) -> Cell | None:
        """Return a cell as changed so far."""
        return self.changed.get(key) or self.base.get(key)

    def cell_or_new(self, key: Key) -> Cell:
        """Return a cell as changed so far, a new empty one where it does not exist."""
        return self.get(key) or Cell(key=key)

    def lines(self) -> Iterator[Cell]:
        """Yield all line cells as changed so far."""
        for cell in self.base.lines():
            yield self.changed.get(cell.key, cell)
        for key, cell in self.changed.items():
            if key[0] == "line" and self.base.cells.get(key) is None:
                yield cell

    def apply(self, movement: Movement) -> None:
        """Add one event's movement to every cell it touches (evolve)."""
        day = movement.counts_from.toordinal()
        if movement.line is not None:
            self._apply_line(movement.line, movement, day)
        for measure, amount in movement.amounts.items():
            for key in _owners(movement, measure):
                self._add(key, measure, day, amount)

    def _apply_line(self, line: tuple[str, ...], movement: Movement, day: int) -> None:
        """Add a movement to its line, to the cells above it and to the line's own plan months."""
        self._open(line)
        month = movement.month.isoformat()[:7] if movement.month else None
        for measure, amount in movement.amounts.items():
            if measure in ROLLING:
                for key in self._with_ancestors(line):
                    self._add(key, measure, day, amount)
            if month:
                self._add(("line", line), f"{measure}{MONTH}{month}", day, amount)

    def know(self, key: Key, facts: Mapping[str, Any]) -> None:
        """Change the facts of a cell."""
        self.changed[key] = self.cell_or_new(key).know(facts)

    def _add(self, key: Key, measure: str, day: int, amount: int) -> None:
        cell = self.cell_or_new(key).add(measure, day, amount)
        sums = cell.measures[measure]
        tail = (sums.total,) if day == sums.last_day else sums.sums
        if max(tail) > SUM_MAX or min(tail) < -SUM_MAX:
            raise Refuse(
                "sum-too-large",
                f"{measure} of {subject(key)} would leave 63 bits",
                rule="I27",
                measure=measure,
                subject=subject(key),
            )
        self.changed[key] = cell
        if MONTH not in measure:
            self.since[key] = min(day, self.since.get(key, day))

    def _with_ancestors(self, line: tuple[str, ...]) -> Iterator[Key]:
        """Yield the keys of the existing cells on the way from the section to the line."""
        for depth in range(1, len(line) + 1):
            key = ("line", line[:depth])
            if self.get(key) is not None:
                yield key

    def _open(self, line: tuple[str, ...]) -> None:
        """Create a line's cell at first use, with the sums of what already lies below it."""
        key = ("line", line)
        if self.get(key) is not None:
            return
        below = [cell for cell in self.lines() if cell.key[1][: len(line)] == line]
        count = sum(1 for _ in self.lines())
        cell = Cell(key=key, number=count + 1)
        paths = {found.key[1] for found in below}
        for found in below:
            path = found.key[1]
            if any(path[:depth] in paths for depth in range(len(line), len(path))):
                continue
            for measure, timeline in found.measures.items():
                if MONTH in measure:
                    continue
                merged = cell.timeline(measure).plus(timeline)
                cell = Cell(
                    key=key, number=cell.number, measures={**cell.measures, measure: merged}
                )
        self.changed[key] = cell


def _owners(movement: Movement, measure: str) -> Iterator[Key]:
    """Yield the cells besides the line's that one measure of a movement changes."""
    if measure == "cash":
        yield ("account", movement.account) if movement.account else BUDGET
    elif measure in ("plan_receipts", "plan_payments"):
        yield BUDGET
    elif measure in ("accepted", "executed"):
        if movement.contract:
            yield "contract", movement.contract
        if movement.payment:
            yield "payment", str(movement.payment)


@dataclass(frozen=True)
class Limit:
    """A rule of one cell: `use` never exceeds `cap` on any day (no cap: `use` never below 0)."""

    name: str
    kinds: tuple[str, ...]
    cap: str
    use: str


LIMITS = (
    Limit("plan-below-zero", ("line",), "plan_commitments", ""),
    Limit("plan-below-zero", ("line",), "plan_payments", ""),
    Limit("plan-below-zero", ("line",), "plan_receipts", ""),
    Limit("figure-below-zero", ("line",), "adjusted", ""),
    Limit("payment-remaining", ("payment",), "executed", ""),
    Limit("cash", ("budget",), "cash", ""),
    Limit("special-account", ("account",), "cash", ""),
    Limit("payments-plan", ("line",), "plan_payments", "executed"),
    Limit("unused-registration", ("contract",), "accepted", "executed"),
    Limit("commitments-plan", ("line",), "plan_commitments", "accepted"),
    Limit("appropriation", ("line",), "adjusted", "plan_payments"),
    Limit("appropriation", ("line",), "adjusted", "plan_commitments"),
    Limit("appropriation", ("line",), "adjusted", "executed"),
    Limit("plan-balance", ("budget",), "plan_receipts", "plan_payments"),
)
"""All limits in the law's order of refusal (K25 110, 109, 103, 97); design §9.7."""
ALWAYS = frozenset({"plan-below-zero", "figure-below-zero", "payment-remaining"})
"""Limits that are arithmetic, not policy: they stop in every jurisdiction."""


def room(cell: Cell, limit: Limit, day: int) -> int:
    """Return cap minus use on a day; figures of a contra contract or payment are mirrored."""
    used = cell.timeline(limit.use).at(day) if limit.use else 0
    left = cell.timeline(limit.cap).at(day) - used
    return -left if cell.facts.get("contra") else left


def shortfalls(cell: Cell, limit: Limit, since: int) -> Iterator[tuple[int, int]]:
    """Yield (day, room) for each day from `since` on at which the use exceeds the cap.

    Sums change only on the timelines' own days, so these and `since` stand for every day.
    """
    cap = cell.measures.get(limit.cap, ZERO)
    use = cell.measures.get(limit.use, ZERO) if limit.use else ZERO
    sign = -1 if cell.facts.get("contra") else 1
    later = {since, *cap.days[bisect_right(cap.days, since):],
             *use.days[bisect_right(use.days, since):]}  # fmt: skip
    for day in sorted(later):
        left = sign * (cap.at(day) - use.at(day))
        if left < 0:
            yield day, left


def broken_limit(key: Key, limit: Limit, day: int, had: int, left: int) -> BrokenLimit:
    """Return the figures of a limit that a command breaks on a day: room before and after."""
    return BrokenLimit(
        limit=limit.name, subject=subject(key), day=date.fromordinal(day).isoformat(),
        asked_minor=had - left, available_minor=had,
    )  # fmt: skip


def subject(key: Key) -> str:
    """Name a cell for people: "line expenditure / 01 / 101", "contract C1", "budget"."""
    kind, ident = key
    text = " / ".join(ident) if isinstance(ident, tuple) else ident
    return f"{kind} {text}".strip()
