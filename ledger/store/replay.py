"""Replay: the whole history again, from the events alone.

Every command is decided again through the same `decide`, with the rules as of the position it
recorded; its events must come out byte for byte. Every limit is thereby checked again at every
prefix of history, every position and chain hash too. There is no second, faster path.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg

import ledger.instruments  # noqa: F401 - fills the registry of commands and events
from ledger.cells import Cell, Key
from ledger.decision import decide
from ledger.errors import LedgerError
from ledger.events import RULEBOOK, Command, Event, decode, encode, link, log_id
from ledger.rules import Rules
from ledger.store.checks import Finding, WholeState
from ledger.store.read import fold_rule
from ledger.store.sql import sql

PROGRESS_EVERY = 1000


@dataclass(kw_only=True)
class ReplayReport:
    """What a replay read and found; `cells` are the balances it arrived at, by budget."""

    events: int = 0
    commands: int = 0
    budgets: int = 0
    last_sequence: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    heads: dict[str, str] = field(default_factory=dict)
    cells: dict[str, dict[Key, Cell]] = field(default_factory=dict)

    @property
    def events_per_second(self) -> float:
        """Events a second of wall time."""
        return self.events / self.seconds if self.seconds else 0.0


async def replay(
    dsn: str,
    *,
    budget: str | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> ReplayReport:
    """Replay the sequenced history of a ledger, or check one budget's part of it.

    `progress` is told (events done, events in all) now and then.
    """
    connection = await asyncpg.connect(dsn, server_settings={"role": "qazyna_reader"})
    started = time.perf_counter()
    report = ReplayReport()
    walker = Walker(report)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            total = await connection.fetchval(
                "SELECT coalesce(max(last_sequence), 0) FROM ledger.steps"
            )
            async for row in _rows(connection):
                walker.take(row)
                if report.events % PROGRESS_EVERY == 0:
                    progress(report.events, total)
    finally:
        await connection.close()
    walker.finish()
    progress(report.events, report.events)
    if budget is not None:
        report.findings = [f for f in report.findings if f.budget in (budget, "")]
    report.seconds = time.perf_counter() - started
    return report


async def _rows(connection: Any) -> AsyncIterator[Any]:
    """Yield all sequenced events in order."""
    async for row in connection.cursor(sql("queries/replay"), prefetch=5000):
        yield row


class Walker:
    """Takes events in the order of sequence and decides each command again when complete.

    The remote auditor goes on from kept states with the same steps (`api/auditing/rules.py`).
    """

    def __init__(self, report: ReplayReport) -> None:
        """Start with no budgets and no rules."""
        self.report = report
        self.states: dict[str, WholeState] = {}
        self.rules: list[Rules] = [Rules()]
        self.expected: dict[tuple[str, int], bytes] = {}
        self.waiting: dict[str, deque[tuple[int, bytes, bytes]]] = {}
        self.broken: set[str] = set()

    def take(self, row: Any) -> None:
        """Check one stored event's sequence, then all events that can be decided by now.

        The two sides of a transfer stand at two sequences: a side waits until its budgets stand
        where they stood when the command was decided.
        """
        code, position = row["code"], row["position"]
        report = self.report
        report.events += 1
        report.last_sequence = row["sequence"]
        if row["sequence"] != report.events:
            self._find("sequence-gap", f"sequence {report.events} is missing", code, position)
            report.events = row["sequence"]
        self._state(code, row["region"])
        self.waiting.setdefault(code, deque()).append((position, row["hash"], row["body"]))
        open_codes = [code]
        while open_codes:
            current = open_codes.pop()
            moved = False
            queue = self.waiting.get(current)
            while queue and self._check(current, *queue[0]):
                queue.popleft()
                moved = True
            if not queue:
                self.waiting.pop(current, None)
            if moved and self.waiting:
                open_codes += [other for other in self.waiting if other != current]

    def _check(self, code: str, position: int, stored_hash: bytes, body: bytes) -> bool:
        """Check one event's place, chain and decision; tell whether it could be decided."""
        if code in self.broken:
            return True
        state = self.states[code]
        try:
            if (code, position) not in self.expected and not self._ready(code, position, body):
                return False
        except LedgerError as error:
            self._break(error.code, error.message, code, position)
            return True
        if position != state.position + 1:
            self._break("position-gap", f"position {state.position + 1} is missing", code, position)
            return True
        state.head = link(state.head, state.log, position, body)
        if state.head != stored_hash:
            self._break(
                "chain-broken",
                "the stored hash is not the hash of the stored bytes",
                code,
                position,
            )
            return True
        self._compare(code, position, body)
        state.position = position
        return True

    def _ready(self, code: str, position: int, body: bytes) -> bool:
        """Decide the command of a first event, if its budgets stand where they stood."""
        fact = decode(body, code, position)
        asked = fact.asked
        if asked is None:
            return False
        peer: str | None = getattr(fact, "peer", None)
        if peer is not None and peer not in self.broken:
            place = self.states[peer].position if peer in self.states else 0
            if place != getattr(fact, "peer_position", 0) - 1:
                return False
        if self.states[code].position == position - 1:
            self._decide_command(asked, fact)
        return True

    def _compare(self, code: str, position: int, body: bytes) -> None:
        """Compare an event with what its command decided now."""
        found = self.expected.pop((code, position), None)
        if found != body:
            self._find(
                "decided-otherwise",
                "deciding the command again gives another event",
                code,
                position,
            )
        if code == RULEBOOK:
            self.rules.append(fold_rule(self.rules[-1], decode(body, code, position)))

    def _decide_command(self, asked: Command, fact: Event) -> None:
        """Decide a command as it was decided then, and apply its cells."""
        self.report.commands += 1
        rules = self.rules[min(fact.rules_at, len(self.rules) - 1)]
        states = {code: self._state(code, getattr(asked, "region", 0))
                  for code in asked.budgets()}  # fmt: skip
        decision = decide(states, asked, rules, fact.recorded_at)
        for overlay in decision.overlays.values():
            overlay.base.take(overlay)
        for event in decision.events:
            place = (event.originator_id, event.originator_version)
            self.expected[place] = encode(event)

    def _state(self, code: str, region: int) -> WholeState:
        """Return a budget's state, empty at first sight."""
        if code not in self.states:
            self.states[code] = WholeState(code, region, log_id(code))
        return self.states[code]

    def finish(self) -> None:
        """Report what was decided but is not stored, and hand out heads and cells."""
        for code, queue in self.waiting.items():
            self._find("orphan-event", "the event belongs to no command", code, queue[0][0])
        for code, position in self.expected:
            if code not in self.broken:
                self._find(
                    "event-missing",
                    "the command decided an event that is not stored",
                    code,
                    position,
                )
        self.report.budgets = len(self.states)
        self.report.heads = {code: state.head.hex() for code, state in self.states.items()}
        self.report.cells = {
            code: {key: cell for key, cell in state.cells.items() if cell is not None}
            for code, state in self.states.items()
        }

    def _break(self, code: str, message: str, budget: str, position: int) -> None:
        """Report a finding after which nothing of the budget can be decided."""
        self.broken.add(budget)
        self._find(code, message, budget, position)

    def _find(self, code: str, message: str, budget: str, position: int) -> None:
        """Report a finding."""
        self.report.findings.append(
            Finding(code=code, message=message, budget=budget, position=position)
        )
