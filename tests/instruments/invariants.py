"""Independent checks of a book: cells are sums of movements, and no limit is broken on any day.

Written from the rules, by brute force over the movements; it shares no arithmetic with
`ledger.cells`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

from ledger.cells import Cell
from ledger.jurisdiction import Jurisdiction

Line = tuple[str, ...]
OWN = {"cash", "approved", "amended", "adjusted", "plan_receipts", "plan_commitments",
       "plan_payments", "accepted", "executed"}  # fmt: skip
ON_LINES = OWN - {"cash"}
LINE_LIMITS = (
    ("payments-plan", "plan_payments", "executed"),
    ("commitments-plan", "plan_commitments", "accepted"),
    ("appropriation", "adjusted", "plan_payments"),
    ("appropriation", "adjusted", "plan_commitments"),
    ("appropriation", "adjusted", "executed"),
)


class Entry(NamedTuple):
    """One amount of one movement."""

    day: date
    measure: str
    amount: int
    moved: Any


def entries_of(book: Any, code: str) -> list[Entry]:
    """Return every amount that a budget's events moved, in their order."""
    found = []
    for fact in book.events:
        if fact.originator_id == code:
            moved = fact.movement()
            day = max(moved.effective_from, moved.month or moved.effective_from)
            found += [Entry(day, m, a, moved) for m, a in moved.amounts.items()]
    return found


def timeline(entries: Iterable[Entry]) -> dict[int, int]:
    """Return the cumulative sum on each day on which something counts."""
    by_day: dict[int, int] = defaultdict(int)
    for entry in entries:
        by_day[entry.day.toordinal()] += entry.amount
    total = 0
    return {day: (total := total + by_day[day]) for day in sorted(by_day)}


def below(entries: Iterable[Entry], path: Line) -> list[Entry]:
    """Return what lies at or below a path."""
    return [e for e in entries if e.moved.line and e.moved.line[: len(path)] == path]


def belongs(entry: Entry, cell: Cell) -> bool:
    """Tell whether an amount is part of a cell."""
    kind, ident = cell.key
    moved, measure = entry.moved, entry.measure
    if kind == "line":
        return measure in ON_LINES and bool(moved.line) and moved.line[: len(ident)] == ident
    if kind == "budget":
        return measure in ("plan_receipts", "plan_payments") or (
            measure == "cash" and moved.account is None
        )
    if kind == "account":
        return measure == "cash" and moved.account == ident
    own = moved.contract if kind == "contract" else moved.payment and str(moved.payment)
    return measure in ("accepted", "executed") and own == ident


def check_cells(cells: Iterable[Cell], entries: list[Entry]) -> None:
    """Assert that each cell is the sum of the movements that belong to it, day by day."""
    for cell in cells:
        expected: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            if belongs(entry, cell):
                expected[entry.measure].append(entry)
            if entry.moved.month and ("line", entry.moved.line) == cell.key:
                expected[f"{entry.measure}@{entry.moved.month:%Y-%m}"].append(entry)
        found = {name: dict(zip(*t.whole(), strict=True)) for name, t in cell.measures.items()}
        assert found == {name: timeline(part) for name, part in expected.items()}, cell.key
        assert all(a < b for t in cell.measures.values() for a, b in pairwise(t.whole()[0]))


class Limits:
    """The limits of one budget, checked on every day on which a sum changes."""

    def __init__(self, rules: Jurisdiction, level: int, entries: list[Entry]) -> None:
        """Take the jurisdiction, the budget's level and all its amounts."""
        self.rules = rules
        self.level = level
        self.entries = entries

    def broken(self, contra: set[Line], contra_things: set[str]) -> Iterator[str]:
        """Name every limit that stops and is broken, with the day."""
        lines = {e.moved.line for e in self.entries if e.moved.line}
        for line in lines - contra:
            section = self.rules.section(line[0])
            inside = below(self.entries, line)
            for measure in ("plan_receipts", "plan_commitments", "plan_payments", "adjusted"):
                yield from self._check("", self._of(measure, inside), [], line)
            if section is not None and section.side == "spending":
                yield from self._line(line, inside, lines)
        money = [e for e in self.entries if e.measure == "cash"]
        yield from self._check("cash", [e for e in money if not e.moved.account], [], "budget")
        for account in {e.moved.account for e in money if e.moved.account}:
            mine = [e for e in money if e.moved.account == account]
            yield from self._check("special-account", mine, [], account)
        yield from self._things(contra_things)
        receipts = self._of("plan_receipts")
        if receipts:
            yield from self._check("plan-balance", receipts, self._of("plan_payments"), "budget")

    def _of(self, measure: str, entries: Iterable[Entry] | None = None) -> list[Entry]:
        chosen = self.entries if entries is None else entries
        return [e for e in chosen if e.measure == measure]

    def _line(self, line: Line, inside: list[Entry], lines: set[Line]) -> Iterator[str]:
        above = [line[:n] for n in range(1, len(line)) if line[:n] in lines]
        for name, cap, use in LINE_LIMITS:
            caps = self._of(cap, inside)
            if not caps and any(self._of(cap, below(self.entries, path)) for path in above):
                continue
            yield from self._check(name, caps, self._of(use, inside), line)

    def _things(self, contra: set[str]) -> Iterator[str]:
        accepted, executed = self._of("accepted"), self._of("executed")
        for contract in {e.moved.contract for e in accepted}:
            paid = [e for e in executed if e.moved.contract == contract]
            agreed = [e for e in accepted if e.moved.contract == contract]
            pair = (paid, agreed) if contract in contra else (agreed, paid)
            yield from self._check("unused-registration", *pair, contract)
        for payment in {e.moved.payment for e in executed if e.moved.payment}:
            paid = [e for e in executed if e.moved.payment == payment]
            pair = ([], paid) if str(payment) in contra else (paid, [])
            yield from self._check("", *pair, str(payment))

    def _check(
        self, control: str, cap: list[Entry], use: list[Entry], subject: Any
    ) -> Iterator[str]:
        for day in sorted({e.day for e in (*cap, *use)}):
            room = sum(e.amount for e in cap if e.day <= day)
            room -= sum(e.amount for e in use if e.day <= day)
            rule = self.rules.control(control, self.level, day) if control else None
            stops = rule is None or rule.mode == "stop"
            if stops and room < -(rule.tolerance_minor if rule else 0):
                yield f"{control or 'below zero'} of {subject} on {day}: {room}"


def check_book(book: Any, code: str) -> None:
    """Assert both invariants for one budget of a book as it stands now."""
    state = book.states[code]
    cells = [cell for cell in state.cells.values() if cell is not None]
    entries = entries_of(book, code)
    check_cells(cells, entries)
    moved = {("line", e.moved.line) for e in entries if e.moved.line}
    assert moved <= set(state.cells)
    if book.rules.adopted is None or not entries:
        return
    level = int(state.cells["budget", ""].facts["level"])
    contra = {cell.key[1] for cell in cells if cell.facts.get("contra") and cell.key[0] == "line"}
    things = {str(cell.key[1]) for cell in cells if cell.facts.get("contra")}
    things |= {paid.id for paid in state.paid.values() if paid.facts.get("contra")}
    limits = Limits(book.rules.jurisdiction, level, entries)
    assert list(limits.broken(contra, things)) == []
