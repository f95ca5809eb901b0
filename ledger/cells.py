"""Control balances and their limits.

A cell holds, for one line, contract, account or the budget itself, the sums of the typed columns
of its events: per measure a sparse timeline of effective days. A command effective at or after
a timeline's end compares one number; only a backdated one walks the tail and is refused if any
later instant would break. Everything here is immutable and pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from ledger.errors import Refuse
from ledger.events import Event, Movement
from ledger.timelines import ZERO, Missing, Timeline, Unloaded

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
NOTHING: Mapping[str, Any] = {}
"""The facts and measures of a new cell; never changed in place."""


class Guarded(NamedTuple):
    """The CHECKs of a cell (`bits`) and their tolerance, and what they were worked out from."""

    rules: object
    measures: int
    period: int
    last_day: int
    bits: int
    slack: int

    def holds(self, rules: object, cell: Cell, period: int) -> bool:
        """Tell whether a changed cell still has the rules, measures and sign it had then."""
        return (
            self.rules is rules and self.period == period
            and self.measures == len(cell.measures) and not cell.facts.get("contra")
        )  # fmt: skip


class Cell:
    """One control balance: facts (a status, a purpose) and a timeline per measure.

    Never changed in place. `guarded` is what `ledger.limits` worked out for it.
    """

    __slots__ = ("facts", "guarded", "key", "measures", "number")

    def __init__(
        self,
        *,
        key: Key,
        number: int = 0,
        facts: Mapping[str, Any] = NOTHING,
        measures: Mapping[str, Timeline] = NOTHING,
    ) -> None:
        """Take a cell's whole content."""
        self.key = key
        self.number = number
        self.facts = facts
        self.measures = measures
        self.guarded: Guarded | None = None

    def timeline(self, measure: str) -> Timeline:
        """Return a measure's timeline, empty where nothing was posted."""
        return self.measures.get(measure, ZERO)

    def total(self, measure: str) -> int:
        """Return a measure's sum over the whole year."""
        found = self.measures.get(measure)
        return found.sums[-1] if found is not None and found.sums else 0

    def add(self, measure: str, day: int, amount: int) -> Cell:
        """Return the cell with one more change of a measure."""
        measures = {**self.measures, measure: self.measures.get(measure, ZERO).add(day, amount)}
        return Cell(key=self.key, number=self.number, facts=self.facts, measures=measures)

    def know(self, facts: Mapping[str, Any]) -> Cell:
        """Return the cell with changed facts; None removes one."""
        merged = {k: v for k, v in {**self.facts, **facts}.items() if v is not None}
        return Cell(key=self.key, number=self.number, facts=merged, measures=self.measures)

    def __eq__(self, other: object) -> bool:
        """Compare by content."""
        return isinstance(other, Cell) and (self.key, self.number, self.facts, self.measures) == (
            other.key, other.number, other.facts, other.measures)  # fmt: skip

    def __hash__(self) -> int:
        """Hash by address."""
        return hash(self.key)

    def __repr__(self) -> str:
        """Show the whole content."""
        return f"Cell({self.key}, {self.number}, {self.facts}, {self.measures})"

    def encode(self) -> bytes:
        """Write facts and timelines as the stored bytes of the cell."""
        lines = {name: [line.days, line.sums] if line.past is None else [line.days, line.sums, 1]
                 for name, line in self.measures.items()}  # fmt: skip
        return orjson.dumps([self.facts, lines], option=orjson.OPT_SORT_KEYS)

    @classmethod
    def read(cls, key: Key, number: int, stored: bytes, code: str = "") -> Cell:
        """Read a stored cell of a budget; older days are loaded when they are needed."""
        facts, lines = orjson.loads(stored)
        past = Unloaded(code, key)
        measures = {name: Timeline(tuple(days), tuple(sums), past if more else None)
                    for name, (days, sums, *more) in lines.items()}  # fmt: skip
        return cls(key=key, number=number, facts=facts, measures=measures)

    @property
    def has_past(self) -> bool:
        """Tell whether a timeline has older days apart."""
        return any(line.past is not None for line in self.measures.values())

    def on(self, past: Mapping[str, Sequence[Timeline]]) -> Cell:
        """Return the cell with the stored parts of its past, by measure and in order.

        Parts that are not stored yet stand in the cell already.
        """
        measures = {}
        for name, line in self.measures.items():
            *_, oldest = line, *line.parts()
            measures[name] = line
            if isinstance(oldest.past, Unloaded):
                chain = None
                for part in past.get(name, ()):
                    if part.last_day < oldest.days[0]:
                        chain = Timeline(part.days, part.sums, chain)
                measures[name] = line.on(chain)
        return self._with(measures)

    def whole(self) -> Cell:
        """Return the cell with no day cut off."""
        return self._with({name: Timeline(*line.whole()) for name, line in self.measures.items()})

    def unloaded(self, code: str) -> Cell:
        """Return the cell without its past, which is stored."""
        past = Unloaded(code, self.key)
        return self._with({name: Timeline(line.days, line.sums, past) if line.past else line
                           for name, line in self.measures.items()})  # fmt: skip

    def _with(self, measures: Mapping[str, Timeline]) -> Cell:
        """Return the cell with measures of the same content."""
        cell = Cell(key=self.key, number=self.number, facts=self.facts, measures=measures)
        cell.guarded = self.guarded
        return cell


class Paid(NamedTuple):
    """A payment of which nothing has come back: what its cell would hold if it had one."""

    id: str
    facts: Mapping[str, Any]
    day: int
    amount: int

    @classmethod
    def by(cls, movement: Movement, ident: str, facts: Mapping[str, Any]) -> Paid:
        """Read the event of a payment."""
        return cls(ident, facts, movement.counts_from.toordinal(), movement.amounts["executed"])

    def cell(self) -> Cell:
        """Return the payment's cell, made when something of it comes back."""
        return Cell(key=("payment", self.id)).know(self.facts).add("executed", self.day,
                                                                   self.amount)  # fmt: skip


NAMED = ("contract", "payment")
"""Kinds of cells that are loaded when first named."""


class BudgetState:
    """The cells of one budget: what commands are decided against.

    `cells` maps keys to cells; None marks a cell known not to exist. Accounts and the budget's
    own cell are all loaded at once; contracts and payments when first named, and lines too
    unless the state is `whole`. `paid` holds payments that may not be stored yet, by id.
    """

    __slots__ = (
        "cells", "code", "head", "line_keys", "log", "paid", "paths", "position", "recorded_at",
        "region", "whole",
    )  # fmt: skip

    def __init__(self, code: str, region: int, log: int) -> None:
        """Start an empty budget: position 0 and no cells."""
        self.code = code
        self.region = region
        self.log = log
        self.position = 0
        self.head = b""
        self.recorded_at = 0
        self.cells: dict[Key, Cell | None] = {}
        self.paths: dict[tuple[str, ...], tuple[Key, ...]] = {}
        self.line_keys: list[Key] | None = None
        self.paid: dict[str, Paid] = {}
        self.whole = True

    def get(self, key: Key) -> Cell | None:
        """Return a cell or None; raise `Missing` for one that is not loaded yet."""
        cell = self.cells.get(key)
        if cell is None and key[0] in NAMED and key not in self.cells:
            return self.standing(key) or self.absent(key)
        if cell is None and not self.whole and key[0] == "line" and key not in self.cells:
            raise Missing(self.code, key)
        return cell

    def standing(self, key: Key) -> Cell | None:
        """Return a cell, also that of a payment nothing has come back of, or None."""
        cell = self.cells.get(key)
        if cell is None and key[0] == "payment" and key[1] in self.paid:
            return self.paid[key[1]].cell()
        return cell

    def absent(self, key: Key) -> Cell | None:
        """Say what it means that a contract or payment is not here: it is to be loaded."""
        raise Missing(self.code, key)

    def path(self, line: tuple[str, ...]) -> tuple[Key, ...]:
        """Return the keys of the line cells from the section down to a line, itself included."""
        found = self.paths.get(line)
        if found is None:
            found = self.paths[line] = _path(self.get, line)
        return found

    def take(self, overlay: Overlay) -> None:
        """Make the cells of a decision the budget's own."""
        self.cells.update(overlay.changed)
        if overlay.paid is not None:
            self.paid[overlay.paid.id] = overlay.paid
        if overlay.opened:
            self.paths.clear()
            self.line_keys = None

    def lines(self) -> Iterator[Cell]:
        """Yield the cells of all lines in the order of their first use.

        The order must not depend on when a line was loaded: a refusal names the first that is in
        the way, in a replay too. Raises `Missing` where not all of them are loaded.
        """
        if not self.whole:
            raise Missing(self.code, None)
        if self.line_keys is None:
            found = [cell for key, cell in self.cells.items() if key[0] == "line" and cell]
            self.line_keys = [cell.key for cell in sorted(found, key=lambda cell: cell.number)]
        for key in self.line_keys:
            cell = self.cells[key]
            if cell is not None:
                yield cell

    def overlay(self) -> Overlay:
        """Return a scratch copy on which events are tried."""
        return Overlay(self)


class Overlay:
    """Cells changed by the events of one command, on top of a budget's state.

    `aged` names the cells and measures with another past than before.
    """

    __slots__ = ("aged", "base", "changed", "doubtful", "opened", "paid", "since")

    def __init__(self, base: BudgetState) -> None:
        """Start without changes."""
        self.aged: set[tuple[Key, str]] = set()
        self.base = base
        self.changed: dict[Key, Cell] = {}
        self.since: dict[Key, dict[str, int]] = {}
        self.doubtful: set[Key] = set()
        self.opened = False
        self.paid: Paid | None = None

    def get(self, key: Key) -> Cell | None:
        """Return a cell as changed so far."""
        cell = self.changed.get(key)
        if cell is None:
            cell = self.base.cells.get(key)
            if cell is None and (key[0] in NAMED or not self.base.whole):
                return self.base.get(key)
        return cell

    def path(self, line: tuple[str, ...]) -> tuple[Key, ...]:
        """Return the keys of the existing cells on the way from the section to the line."""
        return _path(self.get, line) if self.opened else self.base.path(line)

    def lines(self) -> Iterator[Cell]:
        """Yield all line cells as changed so far."""
        for cell in self.base.lines():
            yield self.changed.get(cell.key, cell)
        for key, cell in self.changed.items():
            if key[0] == "line" and self.base.cells.get(key) is None:
                yield cell

    def evolve(self, fact: Event) -> Movement:
        """Add one event to every cell it touches; return its movement."""
        movement = fact.movement()
        paid = movement.payment is not None and movement.payment == fact.command_id
        self.apply(movement, paid=paid)
        for key, facts in fact.facts():
            if paid and key[0] == "payment":
                self.paid = Paid.by(movement, key[1], facts)
            else:
                self.know(key, facts)
        return movement

    def apply(self, movement: Movement, *, paid: bool = False) -> None:
        """Add amounts to every cell that a movement touches.

        A payment's own event (`paid`) makes no cell of the payment: `Paid` stands for it.
        """
        day, line, month = movement.counts_from.toordinal(), movement.line, ""
        path: tuple[Key, ...] = ()
        if line is not None:
            path = self.path(line)
            if not path or path[-1][1] != line:
                self._open(line)
                path = self.path(line)
            month = movement.month.isoformat()[:7] if movement.month else ""
        for measure, amount in movement.amounts.items():
            if measure in ROLLING:
                for key in path:
                    self._add(key, measure, day, amount)
            if month:
                self._add(path[-1], f"{measure}{MONTH}{month}", day, amount)
            for key in _owners(movement, measure, paid=paid):
                self._add(key, measure, day, amount)

    def know(self, key: Key, facts: Mapping[str, Any]) -> None:
        """Change the facts of a cell."""
        self.changed[key] = self.cell_or_new(key).know(facts)

    def cell_or_new(self, key: Key) -> Cell:
        """Return a cell as changed so far, a new empty one where it does not exist."""
        return self.get(key) or Cell(key=key)

    def _add(self, key: Key, measure: str, day: int, amount: int) -> None:
        before = self.get(key) or Cell(key=key)
        cell = before.add(measure, day, amount)
        line = cell.measures[measure]
        if line.past is not None and line.past is not before.timeline(measure).past:
            self.aged.add((key, measure))
        if day != line.days[-1]:
            sums = line.sums if day >= line.days[0] else line.whole()[1]
            low, high = min(sums), max(sums)
        else:
            low = high = line.sums[-1]
        if low < -SUM_MAX or high > SUM_MAX:
            raise Refuse(
                "sum-too-large",
                f"{measure} of {subject(key)} would leave 63 bits",
                rule="I27",
                measure=measure,
                subject=subject(key),
            )
        self.changed[key] = cell
        if MONTH not in measure:
            marks = self.since.get(key)
            if marks is None:
                self.since[key] = {measure: day}
            elif day < marks.get(measure, day + 1):
                marks[measure] = day

    def _open(self, line: tuple[str, ...]) -> None:
        """Create a line's cell at first use, with the sums of what already lies below it."""
        key = ("line", line)
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
                if merged.past is not None:
                    self.aged.add((key, measure))
                cell = Cell(
                    key=key, number=cell.number, measures={**cell.measures, measure: merged}
                )
        self.changed[key] = cell
        self.opened = True


def _path(get: Callable[[Key], Cell | None], line: tuple[str, ...]) -> tuple[Key, ...]:
    """Return the keys of the cells that exist on the way from the section to a line."""
    cells = (get(("line", line[:depth])) for depth in range(1, len(line) + 1))
    return tuple(cell.key for cell in cells if cell is not None)


def _owners(movement: Movement, measure: str, *, paid: bool) -> tuple[Key, ...]:
    """Return the cells besides the line's that one measure of a movement changes."""
    if measure == "cash":
        return (("account", movement.account) if movement.account else BUDGET,)
    if measure in ("plan_receipts", "plan_payments"):
        return (BUDGET,)
    if measure in ("accepted", "executed"):
        contract: tuple[Key, ...] = (
            (("contract", movement.contract),) if movement.contract else ())  # fmt: skip
        if movement.payment is not None and not paid:
            return (*contract, ("payment", str(movement.payment)))
        return contract
    return ()


def subject(key: Key) -> str:
    """Name a cell for people: "line expenditure / 01 / 101", "contract C1", "budget"."""
    kind, ident = key
    text = " / ".join(ident) if isinstance(ident, tuple) else ident
    return f"{kind} {text}".strip()
