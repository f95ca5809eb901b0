"""Rows of the printed table: a figure, its limit, what was asked of it, and whether it is met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure. Judged is `ours ÷ limit`, or `ours` itself where `absolute`."""

    id: str
    quantity: str
    unit: str
    ours: float
    limit: float | None = None
    ratio: float | None = None
    absolute: bool = False
    less: bool = False
    must: float | None = None
    aim: float | None = None

    @property
    def judged(self) -> float | None:
        """The number that `must` and `aim` speak of."""
        return self.ours if self.absolute else self.ratio

    @property
    def met(self) -> str:
        """Tell "aim", "must" or "NO"; nothing where nothing was asked."""
        if self.must is None or self.judged is None:
            return ""
        for name, bar in (("aim", self.aim), ("must", self.must)):
            if bar is not None and (self.judged <= bar if self.less else self.judged >= bar):
                return name
        return "NO"

    def document(self) -> dict[str, Any]:
        """The row as JSON."""
        return {**asdict(self), "judged": self.judged, "met": self.met}


def compared(
    id_: str, quantity: str, unit: str, rounds: Sequence[tuple[float, float]], **more: Any
) -> Row:
    """Make a row of rounds of (ours, limit): the medians of both and of the rounds' ratios."""
    return Row(
        id=id_, quantity=quantity, unit=unit,
        ours=median(ours for ours, _ in rounds), limit=median(limit for _, limit in rounds),
        ratio=median(ours / limit for ours, limit in rounds), **more,
    )  # fmt: skip


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def number(value: float | None) -> str:
    """Write a figure with about three digits."""
    if value is None:
        return "-"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.{1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3}f}"


HEAD = ("id", "quantity", "unit", "ours", "limit", "ratio", "must", "aim", "met?")


def _cells(row: Row) -> tuple[str, ...]:
    """Write a row's figures as texts under `HEAD`."""
    sign = "≤ " if row.less else ""
    asked = [sign + number(bar) if bar is not None else "-" for bar in (row.must, row.aim)]
    figures = (number(row.ours), number(row.limit), number(row.ratio))
    return (row.id, row.quantity, row.unit, *figures, *asked, row.met)


def markdown(rows: Sequence[Row], machine: str, command: str) -> list[str]:
    """Lay the rows out for `docs/promises.md`, under the command and the machine with the date."""
    told = [f"`{command}` on {machine}", "", f"| {' | '.join(HEAD)} |",
            "|---|---|---|--:|--:|--:|--:|--:|---|"]  # fmt: skip
    return told + [f"| {' | '.join(cell.strip() for cell in _cells(row))} |" for row in rows]


def lines(rows: Sequence[Row]) -> list[str]:
    """Lay the rows out as one table, its head first."""
    cells = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(HEAD))]
    return [
        "  ".join(cell.ljust(width) if place < 3 else cell.rjust(width)
                  for place, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in cells
    ]  # fmt: skip
