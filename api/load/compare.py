"""Comparing the ledger with a published table, line by line and in sum, after it was loaded."""

from __future__ import annotations

from decimal import Decimal

from api.load.commands import money
from api.load.mapping import Mapping, Statement
from api.load.outcome import ControlTotal, LoadReport
from api.load.statement import MEASURES, Figures, LinePath, Report
from ledger.money import scale

MOVED = ("adjusted", "plan_payments", "executed")
"""The measures that statements move; the approved figure is the law's."""


def same(one: dict[LinePath, Figures], other: dict[LinePath, Figures]) -> bool:
    """Tell whether two tables give the same moved figures on every line."""
    return all(
        MEASURES[name](one.get(path, Figures())) == MEASURES[name](other.get(path, Figures()))
        for path in {*one, *other}
        for name in MOVED
    )


def compare(
    mapping: Mapping,
    shape: Statement,
    report: Report,
    found: dict[LinePath, Figures],
    outcome: LoadReport,
) -> None:
    """Add a control total for each column, and a note for each column with other lines."""
    rounding = scale(shape.rounding, Decimal(mapping.unit), mapping.decimals)
    for name, figure in MEASURES.items():
        gaps = {}
        for path in sorted({*report.lines, *found}):
            gap = figure(found.get(path, Figures())) - figure(report.lines.get(path, Figures()))
            if gap:
                gaps[path] = gap
        tolerance = rounding * len(gaps) if name == "approved" else 0
        outcome.controls.append(ControlTotal(
            name=f"{name} at {report.closing}", file=report.table.file,
            published=money(mapping, sum(figure(line) for line in report.lines.values())),
            found=money(mapping, sum(figure(line) for line in found.values())),
            tolerance=money(mapping, tolerance),
        ))  # fmt: skip
        if gaps:
            worst = max(gaps, key=lambda path: abs(gaps[path]))
            outcome.notes.append(
                f"{report.table.file}: {name} differs on {len(gaps)} lines, most on "
                f"{' / '.join(worst)} by {money(mapping, gaps[worst])}"
            )
