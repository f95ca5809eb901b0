"""The figures of the execution report (law B7, K25 120), in minor units, and their sums.

Pure: what is selected from the database is aggregated, named, ordered and divided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from ledger.errors import Invalid
from ledger.jurisdiction import Jurisdiction, Section
from ledger.rules import Rules

Path = tuple[str, ...]
Titles = Mapping[Path, str]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Sums of one line or group, in minor units.

    Plans are to date; `_year` counts every month. `unpaid` is accepted less what was executed on
    contracts; on receipts lines `executed` is what came in.
    """

    approved: int = 0
    amended: int = 0
    adjusted: int = 0
    plan_receipts: int = 0
    plan_receipts_year: int = 0
    plan_commitments: int = 0
    plan_commitments_year: int = 0
    plan_payments: int = 0
    plan_payments_year: int = 0
    accepted: int = 0
    unpaid: int = 0
    executed: int = 0

    def __add__(self, other: Figures) -> Figures:
        """Return the sums of both."""
        return Figures(**{name: getattr(self, name) + getattr(other, name) for name in FIGURES})


FIGURES = tuple(field.name for field in fields(Figures))


@dataclass(frozen=True, kw_only=True)
class ExecutionRow(Figures):
    """One row of the report: a path with its title and figures, percentages with one decimal.

    `percent_of_plan` is executed of the plan to date (payments or receipts), `percent_of_budget`
    of the adjusted budget; None where there is nothing to divide by.
    """

    line: Path
    title: str | None
    percent_of_plan: str | None
    percent_of_budget: str | None


@dataclass(frozen=True, kw_only=True)
class BalanceRow:
    """One part of I - II - III - IV = V (and VI, the financing), in minor units (K25 9)."""

    part: str
    approved: int
    amended: int
    adjusted: int
    executed: int


@dataclass(frozen=True, kw_only=True)
class ExecutionReport:
    """The execution report of a budget.

    `effective`, `adopted` and `known` are the three filters asked for, `sequence` is where the
    answer is true, `digits` the currency's decimals; rows stand in the order of the sections.
    """

    budget: str
    currency: str
    digits: int
    effective: date
    adopted: date | None
    known: int | None
    sequence: int
    rows: list[ExecutionRow]
    totals: list[ExecutionRow]
    identity: list[BalanceRow]
    warnings: int


def figures(row: Any) -> Figures:
    """Read one selected row; sums without any event are zero."""
    found = {name: int(row[name] or 0) for name in FIGURES if name != "unpaid"}
    return Figures(**found, unpaid=found["accepted"] - int(row["on_contracts"] or 0))


def group(lines: Mapping[Path, Figures], place: Callable[[Path], Path]) -> dict[Path, Figures]:
    """Sum lines by the path that each is shown under."""
    found: dict[Path, Figures] = {}
    for path, sums in lines.items():
        shown = place(path)
        found[shown] = found[shown] + sums if shown in found else sums
    return found


def cut_at(level: int | None) -> Callable[[Path], Path]:
    """Return how a line is shown at a depth of its path (1 = section), None = as it was used."""
    return lambda path: path[:level]


def cut_by(dimension: str, jurisdiction: Jurisdiction) -> Callable[[Path], Path]:
    """Return how a line is shown under its section and its code of one dimension.

    A line that has no such code is shown under its section. Raises `Invalid` for a dimension
    that no section has.
    """
    places = {
        section.name: names.index(dimension) + 1
        for section in jurisdiction.sections
        if dimension in (names := [d.name for d in section.dimensions])
    }
    if not places:
        known = sorted({d.name for s in jurisdiction.sections for d in s.dimensions})
        reason = f"{dimension!r} is none of the dimensions {', '.join(known)}"
        raise Invalid(reason, errors=[{"place": "by", "reason": reason}])

    def place(path: Path) -> Path:
        depth = places.get(path[0], len(path))
        return (path[0], path[depth]) if depth < len(path) else path[:1]

    return place


def percent(part: int, whole: int) -> str | None:
    """Return a share in per cent with one decimal, halves away from zero: "18.9"."""
    if whole == 0:
        return None
    tenths, rest = divmod(abs(part) * 1000, abs(whole))
    tenths += 2 * rest >= abs(whole)
    sign = "-" if tenths and (part < 0) != (whole < 0) else ""
    return f"{sign}{tenths // 10}.{tenths % 10}"


def row_of(path: Path, sums: Figures, title: str | None, section: Section | None) -> ExecutionRow:
    """Return a row with its percentages."""
    receipts = section is not None and section.side == "receipts"
    plan = sums.plan_receipts if receipts else sums.plan_payments
    return ExecutionRow(
        **{name: getattr(sums, name) for name in FIGURES}, line=path, title=title,
        percent_of_plan=percent(sums.executed, plan),
        percent_of_budget=percent(sums.executed, sums.adjusted),
    )  # fmt: skip


def ordered(paths: Iterable[Path], jurisdiction: Jurisdiction) -> list[Path]:
    """Sort paths by the jurisdiction's order of sections, then by code."""
    order = {section.name: place for place, section in enumerate(jurisdiction.sections)}
    return sorted(paths, key=lambda path: (order.get(path[0], len(order)), path))


def title_of(path: Path, titles: Titles, rules: Rules, on: date) -> str | None:
    """Return what documents, else the classification in force, else the section call a path."""
    found = titles.get(path) or rules.classification.title(path, on)
    section = rules.jurisdiction.section(path[0])
    return found or (section.title if section and len(path) == 1 else None)


def identity(totals: Mapping[str, Figures], jurisdiction: Jurisdiction) -> list[BalanceRow]:
    """Return the parts of the balance that have figures, then V = I - II - III - IV.

    A part has the sign of its first section; financing (VI) stands after V.
    """
    parts: dict[str, tuple[int, list[tuple[int, str]]]] = {}
    financing: dict[str, tuple[int, list[tuple[int, str]]]] = {}
    for section in jurisdiction.sections:
        sign = section.identity or section.financing
        into = parts if section.identity else financing
        if sign:
            into.setdefault(section.part or section.name, (sign, []))[1].append(
                (sign, section.name)
            )
    inside = [(sign, name) for _, members in parts.values() for sign, name in members]
    rows = [_balance(part, first, members, totals) for part, (first, members) in parts.items()]
    rows.append(_balance("V", 1, inside, totals))
    rows += [_balance(part, 1, members, totals) for part, (_, members) in financing.items()]
    return [row for row in rows if row is not None]


def _balance(
    part: str, first: int, members: list[tuple[int, str]], totals: Mapping[str, Figures]
) -> BalanceRow | None:
    """Return one part's sums, None where none of its sections has figures."""
    found = [(first * sign, totals[name]) for sign, name in members if name in totals]
    if not found:
        return None
    return BalanceRow(part=part, **{
        name: sum(sign * getattr(sums, name) for sign, sums in found)
        for name in ("approved", "amended", "adjusted", "executed")
    })  # fmt: skip
