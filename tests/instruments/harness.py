"""Given / when / then over the pure decider: no database, no clock, no service.

A `Book` is a small ledger in memory. `given(...)` posts a history, `book.when(day, ask, then)`
decides one more command and compares the answer with `accepted(...)` or `refused(...)`. Amounts in
tables are whole tenge. After every command the events are encoded, decoded and encoded again, the
cells are added up anew and every limit is checked on every day (`tests.instruments.invariants`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import ledger.instruments  # noqa: F401 - fills the registry
from ledger.cells import BUDGET, BudgetState
from ledger.dates import from_iso
from ledger.decision import Decision, decide
from ledger.events import RULEBOOK, Command, Event, decode, encode, log_id, read_command
from ledger.rules import Rules
from ledger.timelines import Missing
from tests.instruments.asks import Ask, Line, money
from tests.instruments.invariants import check_book

ROOT = Path(__file__).parents[2]
RAYON = "KZ-2025-rayon-1"


@cache
def kazakhstan() -> dict[str, Any]:
    """Return the shipped jurisdiction as JSON types."""
    text = (ROOT / "deploy/jurisdictions/kz.toml").read_text(encoding="utf-8")
    return _json(tomllib.loads(text))


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_json(part) for part in value]
    return value.isoformat() if isinstance(value, date) else value


@dataclass(frozen=True)
class Then:
    """What a command is expected to give."""

    code: str | None = None
    limits: tuple[tuple[str, str, str, float, float], ...] = ()
    kinds: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


def accepted(*kinds: str, flags: tuple[str, ...] = ()) -> Then:
    """Expect these event kinds (each once, in order; none = any) and warning flags."""
    return Then(kinds=kinds, flags=flags)


def refused(code: str, *limits: tuple[str, str, str, float, float], **figures: Any) -> Then:
    """Expect a refusal: its code, each broken limit as (limit, subject, first day, asked,
    available), and some of its figures.
    """
    return Then(code=code, limits=limits, figures=figures)


OK = accepted()


class Book:
    """A ledger in memory: states, rules and every event so far."""

    def __init__(self, jurisdiction: Mapping[str, Any] | None = None) -> None:
        """Start with the jurisdiction adopted (Kazakhstan unless given)."""
        self.states: dict[str, BudgetState] = {}
        self.rules = Rules()
        self.events: list[Event] = []
        self.checked = True
        self._ids = 0
        if jurisdiction != {}:
            document = jurisdiction or kazakhstan()
            adopt = Ask("AdoptJurisdiction", "treasury", {"jurisdiction": document}, RULEBOOK)
            self.when("2004-01-01", adopt)

    def when(self, day: str, ask: Ask, then: Then = OK) -> Decision:
        """Decide a command on the ledger's day and compare the answer; keep its events."""
        decision = self.decide(day, self.command(day, ask))
        compare(decision, then, f"{day} {ask.name}")
        return decision

    def command(self, day: str, ask: Ask) -> Command:
        """Build the command: acts and legal effects are of the ledger's day unless given."""
        self._ids += 1
        fields = dict(ask.fields)
        act = {"id": "act", "date": fields.pop("act_date", day)}
        document = {
            "command": ask.name,
            "command_id": fields.pop("command_id", str(UUID(int=self._ids))),
            "budget": fields.pop("budget", ask.budget or RAYON),
            "actor": {"id": "person-1", "capacity": fields.pop("by", ask.by)},
            "act": act,
        }
        for dated in ask.dated:
            fields.setdefault(dated, day)
        fields = {name: value for name, value in fields.items() if value is not None}
        return read_command({**document, **fields})

    def decide(self, day: str, command: Command) -> Decision:
        """Decide twice (the same bytes must come), then put events and cells into the book."""
        states = {code: self.states.setdefault(code, BudgetState(code, 0, log_id(code)))
                  for code in command.budgets()}  # fmt: skip
        recorded_at = from_iso(f"{day}T05:00:00Z")
        decision = self._loaded(states, command, recorded_at)
        for cell in (cell for state in states.values() for cell in state.cells.values() if cell):
            cell.guarded = None  # what was worked out before must not matter
        again = decide(states, command, self.rules, recorded_at)
        assert [encode(e) for e in decision.events] == [encode(e) for e in again.events]
        assert decision.guards == again.guards
        for fact in decision.events:
            self._keep(fact)
        for code, overlay in decision.overlays.items():
            states[code].take(overlay)
        check_guards(decision)
        if self.checked:
            for code in states:
                check_book(self, code)
        return decision

    def _loaded(self, states: Mapping[str, BudgetState], command: Command, at: int) -> Decision:
        while True:
            try:
                return decide(states, command, self.rules, at)
            except Missing as missing:
                states[missing.code].cells[missing.key] = None

    def _keep(self, fact: Event) -> None:
        body = encode(fact)
        read = decode(body, fact.originator_id, fact.originator_version)
        assert encode(read) == body
        assert read.movement() == fact.movement()
        state = self.states[fact.originator_id]
        state.position += 1
        assert state.position == fact.originator_version
        self.events.append(fact)
        if fact.originator_id == RULEBOOK and hasattr(fact, "amend_rules"):
            self.rules = fact.amend_rules(self.rules).at(fact.originator_version)

    def known(self, day: str) -> list[Event]:
        """Return the events recorded by the end of a day."""
        return [e for e in self.events if e.recorded_at <= from_iso(day)]

    def figure(
        self, line: Line, measure: str, on: str, known: str = "2100-01-01", budget: str = RAYON
    ) -> float:
        """Sum a measure at and below a line, effective and known by two days, in tenge."""
        total = 0
        for fact in self.known(known):
            moved = fact.movement()
            mine = fact.originator_id == budget and moved.counts_from <= date.fromisoformat(on)
            if mine and moved.line and moved.line[: len(line)] == line:
                total += moved.amounts.get(measure, 0)
        return money(total)

    def fact(self, key: tuple[str, Any], name: str, budget: str = RAYON) -> Any:
        """Return a fact of a cell."""
        cell = self.states[budget].cells.get(key)
        return cell.facts.get(name) if cell else None

    def cash(self, on: str, account: str | None = None, budget: str = RAYON) -> float:
        """Return the cash of the budget or of a special account on a day, in tenge."""
        cell = self.states[budget].cells.get(("account", account) if account else BUDGET)
        day = date.fromisoformat(on).toordinal()
        return money(cell.timeline("cash").at(day)) if cell else 0


def given(*rows: tuple[str, Ask], jurisdiction: Mapping[str, Any] | None = None) -> Book:
    """Return a book in which each (day, ask) was accepted."""
    book = Book(jurisdiction)
    for day, ask in rows:
        book.when(day, ask)
    return book


def compare(decision: Decision, then: Then, place: str) -> None:
    """Compare an answer with what was expected."""
    refusal = decision.refusal
    if then.code is None:
        assert refusal is None, f"{place}: {refusal}"
        kinds = dict.fromkeys(event.kind for event in decision.events)
        assert not then.kinds or tuple(kinds) == then.kinds, place
        assert decision.events[0].flags == then.flags, place
        return
    assert refusal is not None, f"{place}: accepted, expected {then.code}"
    assert refusal.code == then.code, f"{place}: {refusal}"
    assert refusal.message
    assert refusal.rule
    if then.limits or then.code == "limit-exceeded":
        found = tuple((b.limit, b.subject, b.day, money(b.asked_minor), money(b.available_minor))
                      for b in refusal.limits)  # fmt: skip
        assert found == then.limits, place
    figures = dict(refusal.figures)
    assert {name: figures.get(name) for name in then.figures} == {
        name: str(value) for name, value in then.figures.items()
    }, place


CHECKS = (
    (1, "cash", ""), (2, "plan_payments", "executed"), (4, "accepted", "executed"),
    (8, "plan_commitments", "accepted"), (16, "adjusted", "plan_payments"),
    (16, "adjusted", "plan_commitments"), (16, "adjusted", "executed"),
    (32, "plan_receipts", "plan_payments"),
)  # fmt: skip
"""The CHECKs of the table of cells: bit, cap, use."""


def check_guards(decision: Decision) -> None:
    """Assert that the database's CHECKs would let the decided cells in."""
    guarded = [(decision.overlays[code].changed[key], guard)
               for code, own in decision.guards.items() for key, guard in own.items()]  # fmt: skip
    for cell, (bits, slack) in guarded:
        for bit, cap, use in CHECKS:
            if bits & bit:
                assert cell.total(use) <= cell.total(cap) + slack, (cell.key, cap, use)
