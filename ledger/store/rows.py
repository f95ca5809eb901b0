"""Decisions turned into the parallel arrays of the `append` function, one set a region."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from itertools import takewhile
from typing import Any

from ledger.cells import BUDGET, BudgetState, Cell, Key, Overlay
from ledger.decision import Decision
from ledger.events import (
    MEASURES,
    RULEBOOK,
    Event,
    Movement,
    canonical,
    encode,
    link,
    log_id,
)
from ledger.timelines import ZERO, Timeline

CELL_MEASURES = ("adjusted", "plan_receipts", "plan_commitments", "plan_payments", "accepted",
                 "executed", "cash")  # fmt: skip


def numbers(column: Sequence[int | None]) -> str:
    """Write numbers as the text of an array; nothing but NULLs as an empty one."""
    nulls = column.count(None)
    if nulls == len(column):
        return "{}"
    written = str(list(column))[1:-1]
    return f"{{{written.replace('None', 'NULL') if nulls else written}}}"


def texts(column: Sequence[str | None]) -> str:
    """Write texts as the text of an array; nothing but NULLs as an empty one."""
    if column.count(None) == len(column):
        return "{}"
    return "{" + ",".join([_quoted(text) for text in column]) + "}"


def _quoted(text: str | None) -> str:
    """Write one element of an array of texts."""
    if text is None:
        return "NULL"
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def days(column: Sequence[date | None]) -> str:
    """Write days as the text of an array; nothing but NULLs as an empty one."""
    if column.count(None) == len(column):
        return "{}"
    return "{" + ",".join(["NULL" if day is None else day.isoformat() for day in column]) + "}"


def values(column: Sequence[Any]) -> Sequence[Any]:
    """Leave ids and bytes as they are; nothing but NULLs as an empty array."""
    return [] if column.count(None) == len(column) else column


Writer = Callable[[Sequence[Any]], Any]
HEAD_COLUMNS: tuple[Writer, ...] = (
    numbers, texts, numbers, numbers, values, numbers, values, numbers)  # fmt: skip
EVENT_COLUMNS: tuple[Writer, ...] = (
    numbers, numbers, numbers, values, numbers, texts, numbers, days, days, days, numbers, texts,
    values, texts, *(numbers for _ in range(3 + len(MEASURES))), values, values,
)  # fmt: skip
LINE_COLUMNS: tuple[Writer, ...] = (numbers, numbers, texts)
CELL_COLUMNS: tuple[Writer, ...] = (
    numbers, texts, texts, *(numbers for _ in range(3 + len(CELL_MEASURES))), values,
)  # fmt: skip
GONE_COLUMNS: tuple[Writer, ...] = (numbers, texts, texts, texts, numbers)
PAST_COLUMNS: tuple[Writer, ...] = (*GONE_COLUMNS, values)
NUMBER_MAX = 32_767
"""Where `n` stands still: a smallint. Only a command's first event is looked for by it."""
NO_PEER = (None, None, None)
MEASURE_COLUMN = {measure: place for place, measure in enumerate(MEASURES)}
COLUMN = {measure: place for place, measure in enumerate(CELL_MEASURES)}
"""How the columns of the `append` function's arrays are written, in its order."""


class Batch:
    """What one append call writes into the logs of one region."""

    def __init__(self, region: int) -> None:
        """Start empty."""
        self.region = region
        self.heads: dict[str, tuple[int, bytes]] = {}
        self.events: list[tuple[Any, ...]] = []
        self.lines: list[tuple[int, int, str]] = []
        self.cells: dict[tuple[int, Key], tuple[Cell, int, int]] = {}
        self.new: set[tuple[int, Key]] = set()
        self.pasts: dict[tuple[int, Key, str], list[Timeline]] = {}
        self.gone: dict[tuple[int, Key, str], int] = {}

    def age(self, place: tuple[int, Key, str], old: Timeline, new: Timeline) -> None:
        """Take the parts of a measure's past that are new; those that they replace will go."""
        stored = [id(part) for part in old.parts()]
        parts = list(takewhile(lambda part: id(part) not in stored, new.parts()))
        since = parts[-1].days[0]
        if stored and stored[0] not in map(id, new.parts()):
            self.gone[place] = min(since, self.gone.get(place, since))
        waiting = self.pasts.get(place, ())
        self.pasts[place] = parts + [part for part in waiting if part.last_day < since]

    def hashes(self) -> dict[tuple[int, int], bytes]:
        """Return the chain hashes of the events by log and position."""
        return {(row[0], row[1]): row[-2] for row in self.events}

    def arguments(self, states: Mapping[str, BudgetState], rules_at: int) -> list[Any]:
        """Return the arguments of `ledger.append`."""
        rulebook = states[RULEBOOK].position if RULEBOOK in self.heads else None
        heads = [
            (state.log, state.code, year_of(state), *self.heads[state.code],
             state.position, state.head, state.recorded_at)
            for state in sorted((states[code] for code in self.heads), key=lambda s: s.log)
        ]  # fmt: skip
        stored: list[tuple[Any, ...]] = []
        new: list[tuple[Any, ...]] = []
        for place, (cell, guards, slack) in self.cells.items():
            (new if place in self.new else stored).append(_cell_row(place, cell, guards, slack))
        return [
            self.region, rules_at, rulebook,
            *columns(heads, HEAD_COLUMNS), *columns(self.events, EVENT_COLUMNS),
            *columns(self.lines, LINE_COLUMNS), *columns(stored, CELL_COLUMNS),
            *columns(new, CELL_COLUMNS), *self._past_arguments(),
        ]  # fmt: skip

    def _past_arguments(self) -> list[Any]:
        """Return what becomes of older days: the pasts that go, and the parts that come."""
        if not self.pasts:
            return NO_PASTS
        gone = [(*_past_place(*place), since) for place, since in self.gone.items()]
        parts = [
            (*_past_place(*place), part.last_day, canonical([part.days, part.sums]))
            for place, found in self.pasts.items() for part in found
        ]  # fmt: skip
        return [*columns(gone, GONE_COLUMNS), *columns(parts, PAST_COLUMNS)]


def _past_place(log: int, key: Key, measure: str) -> tuple[int, str, str, str]:
    """Return where the older days of one measure of a cell are stored."""
    return log, key[0], key_text(key), measure


def year_of(state: BudgetState) -> int:
    """Return the fiscal year of a budget's log, 0 for the rulebook."""
    if state.code == RULEBOOK:
        return 0
    cell = state.cells[BUDGET]
    return int(cell.facts["year"]) if cell else 0


def columns(rows: Sequence[tuple[Any, ...]], writers: Sequence[Writer]) -> list[Any]:
    """Turn rows into written columns, also when there are none."""
    if not rows:
        return [writer(()) for writer in writers]
    turned = zip(*rows, strict=True)
    return [writer(column) for writer, column in zip(writers, turned, strict=True)]


NO_PASTS = [*columns((), GONE_COLUMNS), *columns((), PAST_COLUMNS)]


def key_text(key: Key) -> str:
    """Return the stored key of a cell; a line's path as JSON."""
    return _line_text(key[1]) if key[0] == "line" else str(key[1])


@lru_cache(maxsize=100_000)
def _line_text(path: tuple[str, ...]) -> str:
    """Return a line's path as JSON."""
    return canonical(path).decode()


def _cell_row(place: tuple[int, Key], cell: Cell, guards: int, slack: int) -> tuple[Any, ...]:
    """Return one cell's row in the order of the function's cell arrays."""
    log, key = place
    figures = [0] * len(CELL_MEASURES)
    for measure, line in cell.measures.items():
        column = COLUMN.get(measure)
        if column is not None:
            figures[column] = line.sums[-1]
    return (log, key[0], key_text(key), cell.number, *figures, guards, slack, cell.encode())


def stage(decision: Decision, states: dict[str, BudgetState], batches: dict[int, Batch]) -> None:
    """Put a decision's events and cells into the batches and move the states on.

    `n` counts a command's events within a region, so that its id cannot be used in another of
    the region's logs.
    """
    counts: dict[int, int] = {}
    for code, overlay in decision.overlays.items():
        if overlay.changed:
            batch = _batch(overlay.base.region, batches)
            _stage_cells(overlay, batch, decision.guards[code])
        overlay.base.take(overlay)
    for fact, movement in zip(decision.events, decision.movements, strict=True):
        code = fact.originator_id
        state = states[code]
        batch = _batch(state.region, batches)
        if code not in batch.heads:
            batch.heads[code] = state.position, state.head
        place = counts.get(state.region, 0)
        counts[state.region] = place + 1
        body = encode(fact)
        state.head = link(state.head, state.log, fact.originator_version, body)
        state.position = fact.originator_version
        state.recorded_at = fact.recorded_at
        batch.events.append(_row(fact, movement, state, states, min(place, NUMBER_MAX), body))


def _batch(region: int, batches: dict[int, Batch]) -> Batch:
    """Return the batch of a region."""
    found = batches.get(region)
    if found is None:
        found = batches[region] = Batch(region)
    return found


def _stage_cells(overlay: Overlay, batch: Batch, guards: Mapping[Key, tuple[int, int]]) -> None:
    """Collect changed cells, the latest of each, and lines used for the first time."""
    cells, log = overlay.base.cells, overlay.base.log
    for key, cell in overlay.changed.items():
        kind, place = key[0], (log, key)
        if cells.get(key) is None:
            batch.new.add(place)
            if kind == "line":
                batch.lines.append((log, cell.number, key_text(key)))
        if kind == "payment":
            batch.new.add(place)
        batch.cells[place] = cell, *guards[key]
    for key, measure in overlay.aged:
        before, line = cells.get(key), overlay.changed[key].measures[measure]
        batch.age((log, key, measure), before.timeline(measure) if before else ZERO, line)


def _row(
    fact: Event, movement: Movement, state: BudgetState, states: Mapping[str, BudgetState],
    place: int, body: bytes,
) -> tuple[Any, ...]:  # fmt: skip
    """Return one event's row in the order of the function's event arrays."""
    line = None
    if movement.line is not None:
        cell = state.cells.get(("line", movement.line))
        line = cell.number if cell else None
    payment = movement.payment
    if payment is not None and payment == fact.command_id:
        payment = None
    amounts: list[int | None] = [None] * len(MEASURES)
    for measure, amount in movement.amounts.items():
        amounts[MEASURE_COLUMN[measure]] = amount
    peer = getattr(fact, "peer", None)
    beside = NO_PEER if peer is None else (
        states[peer].region, log_id(peer), getattr(fact, "peer_position", None))  # fmt: skip
    return (
        state.log, fact.originator_version, year_of(state), fact.command_id, place, fact.kind,
        fact.recorded_at, movement.effective_from, movement.adopted_on, movement.month, line,
        movement.contract, payment, movement.account, *beside, *amounts, state.head, body,
    )  # fmt: skip
