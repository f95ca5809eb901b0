"""The same figures from events in memory: what an auditor recomputes, with no database.

A second way from the events to the report: by each event's `movement()`, not by typed columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date

from ledger.events import Event, Movement
from projections.budget_execution.figures import Path, figures
from projections.budget_execution.fold import SUMMED, TITLED, titles
from projections.budget_execution.report import Selected

COLUMNS = (
    "approved", "amended", "adjusted", "plan_receipts", "plan_receipts_year", "plan_commitments",
    "plan_commitments_year", "plan_payments", "plan_payments_year", "accepted", "executed",
    "on_contracts",
)  # fmt: skip


def select(
    events: Iterable[tuple[Event, bytes]], sequence: int, effective: date, adopted: date | None
) -> Selected:
    """Fold a budget's events (with their bodies) into figures, titles and warnings by the filters.

    `sequence` is where the events end.
    """
    lines: dict[Path, Counter[str]] = {}
    documents: list[tuple[date, int, bytes]] = []
    flagged = 0
    for event, body in events:
        move = event.movement()
        if adopted is not None and move.adopted_on > adopted:
            continue
        if event.kind in TITLED:
            documents.append((move.adopted_on, event.originator_version, body))
        if move.effective_from > effective:
            continue
        flagged += bool(event.flags)
        if move.line is not None and event.kind in SUMMED:
            add(lines.setdefault(move.line, Counter(dict.fromkeys(COLUMNS, 0))), move, effective)
    names = {path: title for _, _, body in sorted(documents) for path, title in titles(body)}
    return Selected(sequence, {path: figures(sums) for path, sums in lines.items()}, names, flagged)


def add(sums: Counter[str], move: Movement, effective: date) -> None:
    """Add a movement to a line's figures; a plan month counts to date and in the year."""
    for measure, amount in move.amounts.items():
        if measure.startswith("plan_"):
            sums[f"{measure}_year"] += amount
        if move.month is None or move.month <= effective:
            sums[measure] += amount
        if measure == "executed" and move.contract is not None:
            sums["on_contracts"] += amount
