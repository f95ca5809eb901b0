"""Decisions turned into the parallel arrays of the `append` function, one set a region."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.cells import BUDGET, BudgetState, Cell, Key
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

EVENT_COLUMNS = 28
CELL_MEASURES = ("adjusted", "plan_receipts", "plan_commitments", "plan_payments", "accepted",
                 "executed", "cash")  # fmt: skip


class Batch:
    """What one append call writes into the logs of one region."""

    def __init__(self, region: int) -> None:
        """Start empty."""
        self.region = region
        self.heads: dict[str, tuple[int, bytes, int]] = {}
        self.events: list[tuple[Any, ...]] = []
        self.lines: list[tuple[int, int, str]] = []
        self.cells: dict[tuple[str, Key], tuple[Cell, int, int]] = {}

    def hashes(self) -> dict[tuple[int, int], bytes]:
        """Return the chain hashes of the events by log and position."""
        return {(row[0], row[1]): row[-2] for row in self.events}

    def arguments(self, states: dict[str, BudgetState], rules_at: int) -> list[Any]:
        """Return the arguments of `ledger.append`."""
        codes = sorted(self.heads, key=log_id)
        rulebook = states[RULEBOOK].position if RULEBOOK in self.heads else None
        heads = [
            (log_id(code), code, year_of(states[code]), self.heads[code][0], self.heads[code][1],
             states[code].position, states[code].head, states[code].recorded_at)
            for code in codes
        ]  # fmt: skip
        cells = [
            (log_id(code), key[0], key_text(key), cell.number,
             *(cell.total(measure) for measure in CELL_MEASURES), guards, slack, cell.encode())
            for (code, key), (cell, guards, slack) in sorted(
                self.cells.items(), key=lambda item: (log_id(item[0][0]), key_text(item[0][1])))
            if key[0] != "payment" or cell.facts.get("returned")
        ]  # fmt: skip
        return [
            self.region, rules_at, rulebook,
            *columns(heads, 8), *columns(self.events, EVENT_COLUMNS), *columns(self.lines, 3),
            *columns(cells, 4 + len(CELL_MEASURES) + 3),
        ]  # fmt: skip


def year_of(state: BudgetState) -> int:
    """Return the fiscal year of a budget's log, 0 for the rulebook."""
    if state.code == RULEBOOK:
        return 0
    cell = state.cells[BUDGET]
    return int(cell.facts["year"]) if cell else 0


def columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Turn rows into columns, also when there are none."""
    turned = [list(column) for column in zip(*rows, strict=True)]
    return turned or [[] for _ in range(width)]


def key_text(key: Key) -> str:
    """Return the stored key of a cell; a line's path as JSON."""
    ident = key[1]
    return canonical(list(ident)).decode() if key[0] == "line" else str(ident)


def stage(decision: Decision, states: dict[str, BudgetState], batches: dict[int, Batch]) -> None:
    """Put a decision's events and cells into the batches and move the states on.

    `n` counts a command's events within a region, so that its id cannot be used in another of
    the region's logs.
    """
    counts: dict[int, int] = {}
    for overlay in decision.overlays.values():
        _stage_cells(decision, overlay.base, overlay.changed, batches)
        overlay.base.cells.update(overlay.changed)
    for fact in decision.events:
        code = fact.originator_id
        state = states[code]
        batch = batches.setdefault(state.region, Batch(state.region))
        batch.heads.setdefault(code, (state.position, state.head, state.recorded_at))
        place = counts.get(state.region, 0)
        counts[state.region] = place + 1
        body = encode(fact)
        state.head = link(state.head, state.log, fact.originator_version, body)
        state.position = fact.originator_version
        state.recorded_at = fact.recorded_at
        batch.events.append(_row(fact, fact.movement(), state, states, place, body))


def _stage_cells(
    decision: Decision,
    state: BudgetState,
    changed: dict[Key, Cell],
    batches: dict[int, Batch],
) -> None:
    """Collect changed cells, the latest of each, and lines used for the first time."""
    if not changed:
        return
    batch = batches.setdefault(state.region, Batch(state.region))
    for key, cell in changed.items():
        if key[0] == "line" and state.cells.get(key) is None:
            batch.lines.append((state.log, cell.number, key_text(key)))
        batch.cells[state.code, key] = (cell, *decision.guards[state.code, key])


def _row(
    fact: Event, movement: Movement, state: BudgetState, states: dict[str, BudgetState],
    place: int, body: bytes,
) -> tuple[Any, ...]:  # fmt: skip
    """Return one event's row in the order of the function's event arrays."""
    line = None
    if movement.line is not None:
        cell = state.cells.get(("line", movement.line))
        line = cell.number if cell else None
    peer = getattr(fact, "peer", None)
    payment = movement.payment if movement.payment != fact.command_id else None
    return (
        state.log, fact.originator_version, year_of(state), fact.command_id, place, fact.kind,
        fact.recorded_at, movement.effective_from, movement.adopted_on, movement.month, line,
        movement.contract, payment, movement.account,
        states[peer].region if peer else None, log_id(peer) if peer else None,
        getattr(fact, "peer_position", None),
        *(movement.amounts.get(measure) for measure in MEASURES),
        state.head, body,
    )  # fmt: skip
