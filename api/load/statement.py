"""A cumulative report becomes what must have happened since the previous one (all inferred).

A changed revised annual plan is an adjustment, a changed period plan a plan change, a risen
actual a payment, a fallen one a recovery of earlier payments: all dated to the period's end. The
differences are taken against what the ledger says at the end of the previous period, so loading
a report again gives the same commands under the same ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from api.load.approval import published
from api.load.commands import Prepared, Reading, envelope, money, path_of
from api.load.mapping import Mapping, Statement
from api.load.rows import BadRow, BadValue, Row, Table
from ledger.money import to_minor

LinePath = tuple[str, ...]
INFERRED = ("act", "adopted_on")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The four cumulative figures of one line, in minor units."""

    approved: int = 0
    adjusted: int = 0
    plan: int = 0
    executed: int = 0

    def plus(self, other: Figures) -> Figures:
        """Return the sums."""
        return Figures(approved=self.approved + other.approved,
                       adjusted=self.adjusted + other.adjusted, plan=self.plan + other.plan,
                       executed=self.executed + other.executed)  # fmt: skip


MEASURES: dict[str, Callable[[Figures], int]] = {
    "approved": lambda f: f.approved,
    "adjusted": lambda f: f.adjusted,
    "plan_payments": lambda f: f.plan,
    "executed": lambda f: f.executed,
}
"""The report's columns and where the statement keeps them."""


@dataclass(frozen=True, kw_only=True)
class Fall:
    """A cumulative actual that fell: so much of earlier payments was recovered."""

    path: LinePath
    amount_minor: int
    place: str
    row: Row


@dataclass(kw_only=True)
class Report:
    """One file's statement: its budget, its period and its figures by line."""

    table: Table
    budget: str
    period: str
    year_start: date
    opening: date
    closing: date
    row: Row
    lines: dict[LinePath, Figures] = field(default_factory=dict)
    rows: dict[LinePath, Row] = field(default_factory=dict)

    @property
    def year_end(self) -> date:
        """Last day of the fiscal year."""
        return months_after(self.year_start, 12) - timedelta(days=1)


def months_after(start: date, count: int) -> date:
    """Return the first day of the month `count` months later."""
    months = start.year * 12 + start.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)


def read(mapping: Mapping, shape: Statement, table: Table) -> tuple[Report | None, Reading]:
    """Return the file's statement; a bad row refuses the file whole."""
    reading = Reading(bad=list(table.problems))
    reading.bad += table.missing([*shape.line, shape.approved, shape.adjusted, shape.executed])
    try:
        report = _report(shape, table)
    except BadValue as problem:
        reading.bad.append(table.head().bad(problem))
        return None, reading
    no_plan = bool(table.missing([shape.plan]))
    if no_plan and report.closing != report.year_end:
        reading.bad += table.missing([shape.plan])
    for row in table.rows if not reading.bad else ():
        try:
            _add(shape, report, row, no_plan=no_plan)
        except BadValue as problem:
            reading.bad.append(row.bad(problem))
    if reading.bad:
        return None, reading
    reading.notes = [note for declared in shape.published
                     for note in _published(mapping, shape, table, declared)]  # fmt: skip
    return report, reading


def _published(mapping: Mapping, shape: Statement, table: Table, declared: Any) -> list[str]:
    """Compare one kind of printed subtotals in each column that the file has."""
    notes = []
    for measure in (shape.approved, shape.adjusted, shape.plan, shape.executed):
        column = measure.strip("{}")
        name = declared.amount.replace("*", column.partition("_")[2])
        if not table.missing([measure, name]):
            notes += published(mapping, table, [declared.model_copy(update={
                "amount": name, "name": name.strip("{}")})], measure)  # fmt: skip
    return notes


def _report(shape: Statement, table: Table) -> Report:
    """Return the file's budget and period."""
    head = table.head()
    period = head.filled(shape.period)
    if period not in shape.months:
        raise BadValue("", f"{period!r} is none of the periods {', '.join(shape.months)}")
    start = date.fromisoformat(f"{int(head.filled(shape.year)):04}-{shape.year_starts}")
    length = shape.months[period]
    shorter = max((m for m in shape.months.values() if m < length), default=0)
    closing = months_after(start, length) - timedelta(days=1)
    opening = months_after(start, shorter) - timedelta(days=1) if shorter else start
    known = {"period_end": closing.isoformat(), "year_start": start.isoformat()}
    row = Row(file=table.file, line=1, values={**table.parts, **known}, form=table.form)
    return Report(table=table, budget=row.filled(shape.budget), period=period, year_start=start,
                  opening=opening, closing=closing, row=row)  # fmt: skip


def _add(shape: Statement, report: Report, row: Row, *, no_plan: bool) -> None:
    """Add a row's figures to its line."""
    path = tuple(path_of(row, shape.line))
    adjusted = row.amount(shape.adjusted)
    figures = Figures(
        approved=row.amount(shape.approved), adjusted=adjusted,
        plan=adjusted if no_plan else row.amount(shape.plan), executed=row.amount(shape.executed),
    )  # fmt: skip
    before = report.rows.get(path)
    if before is not None:
        if shape.duplicates == "refuse":
            raise BadValue("", f"{' / '.join(path)} stands on line {before.line} already")
        figures = report.lines[path].plus(figures)
    if figures.executed < 0 and list(path) not in shape.contra:
        raise BadValue(shape.executed.strip("{}"), "negative, and not declared a contra line")
    report.lines[path] = figures
    report.rows.setdefault(path, row)


def ledger_figures(
    mapping: Mapping, shape: Statement, rows: Sequence[dict[str, Any]]
) -> dict[LinePath, Figures]:
    """Return what an execution report says of the lines at the statement's depth."""
    depth = len(shape.line)
    found = {}
    for row in rows:
        if len(row["line"]) == depth:
            minor = {name: to_minor(row[name], mapping.decimals) for name in MEASURES}
            found[tuple(row["line"])] = Figures(
                approved=minor["approved"], adjusted=minor["adjusted"],
                plan=minor["plan_payments"], executed=minor["executed"],
            )  # fmt: skip
    return found


def commands(
    mapping: Mapping, shape: Statement, report: Report, before: dict[LinePath, Figures]
) -> tuple[list[Prepared], list[Fall]]:
    """Return what happened in the period, and the falls that need earlier payments.

    A line that the ledger has and the report does not print stands at zero in the report.
    """
    paths = list(dict.fromkeys([*report.lines, *before]))
    found = [*_documents(mapping, shape, report, before, paths)]
    falls = []
    for path in paths:
        now, was = report.lines.get(path, Figures()), before.get(path, Figures())
        sign = -1 if list(path) in shape.contra else 1
        change = sign * (now.executed - was.executed)
        row = report.rows.get(path, report.row)
        if change > 0:
            found.append(_payment(mapping, shape, report, path, change))
        elif change < 0:
            falls.append(Fall(path=path, amount_minor=-change, place=row.place, row=row))
    return found, falls


def _documents(
    mapping: Mapping,
    shape: Statement,
    report: Report,
    before: dict[LinePath, Figures],
    paths: Sequence[LinePath],
) -> Iterator[Prepared]:
    """Yield the period's adjustment and its change of the payments plan."""
    month = report.closing.isoformat()[:7]
    changes, plans = [], []
    for path in paths:
        now, was = report.lines.get(path, Figures()), before.get(path, Figures())
        if now.adjusted != was.adjusted or path not in before:
            change = {"line": list(path), "change": money(mapping, now.adjusted - was.adjusted)}
            contra = {"contra": True} if _opens_contra(shape, path, before) else {}
            changes.append({**change, **contra})
        if now.plan != was.plan:
            amount = money(mapping, now.plan - was.plan)
            plans.append({"line": list(path), "payments": [{"month": month, "amount": amount}]})
    if changes:
        document = _head(mapping, shape, report, "AdjustBudget", ["lines", "effective_from"])
        document["actor"] = {"id": report.row.filled(shape.adjuster.id),
                             "capacity": shape.adjuster.capacity}  # fmt: skip
        document |= {"effective_from": report.closing.isoformat(), "basis": "other",
                     "lines": changes}  # fmt: skip
        document["reason"] = f"revised annual plan as reported in {report.table.file}"
        yield _prepared(mapping, shape, report, document)
    if plans:
        document = _head(mapping, shape, report, "ChangePlan", ["lines", "effective_from"])
        document |= {"effective_from": report.closing.isoformat(), "lines": plans}
        yield _prepared(mapping, shape, report, document)


def _opens_contra(shape: Statement, path: LinePath, before: dict[LinePath, Figures]) -> bool:
    """Tell whether the report is the first to name a declared contra line."""
    return list(path) in shape.contra and path not in before


def _payment(
    mapping: Mapping, shape: Statement, report: Report, path: LinePath, amount: int
) -> Prepared:
    """Return the payment that a risen actual implies."""
    document = _head(mapping, shape, report, "ExecutePayment", ["amount", "value_date"], path)
    document |= {"line": list(path), "amount": money(mapping, amount),
                 "value_date": report.closing.isoformat()}  # fmt: skip
    return _prepared(mapping, shape, report, document, *path)


def recoveries(
    mapping: Mapping, shape: Statement, report: Report, fall: Fall, paid: Sequence[dict[str, Any]]
) -> list[Prepared]:
    """Return the recoveries of a fallen actual, the newest payments first, split if needed.

    Raises `BadValue` when less was paid than the fall.
    """
    left, found = fall.amount_minor, []
    for payment in reversed(paid):
        take = min(left, to_minor(payment["amount"], mapping.decimals))
        if take <= 0:
            continue
        names = ["payment", "amount", "value_date"]
        document = _head(mapping, shape, report, "RecoverCashExpenditure", names, fall.path)
        document |= {
            "payment": payment["payment"], "amount": money(mapping, take),
            "value_date": report.closing.isoformat(),
            "reason": f"the cumulative actual fell by {money(mapping, fall.amount_minor)}",
        }  # fmt: skip
        found.append(_prepared(mapping, shape, report, document, *fall.path, payment["payment"]))
        left -= take
    if left:
        raise BadValue(shape.executed.strip("{}"), "the cumulative actual fell by "
                       f"{money(mapping, fall.amount_minor)}, {money(mapping, left)} more than "
                       "was paid")  # fmt: skip
    return found


def _head(
    mapping: Mapping,
    shape: Statement,
    report: Report,
    name: str,
    inferred: Sequence[str],
    path: LinePath | None = None,
) -> dict[str, Any]:
    """Return the common fields of an inferred command, placed at the row it came from."""
    row = report.rows.get(path, report.row) if path else report.row
    document = envelope(mapping, shape, report.row, name)
    document["source"]["place"] = row.place if path else report.table.file
    names = [*document["source"].get("inferred", ()), *INFERRED, *inferred]
    document["source"]["inferred"] = list(dict.fromkeys(names))
    return document


def _prepared(
    mapping: Mapping, shape: Statement, report: Report, document: dict[str, Any], *more: str
) -> Prepared:
    """Give a command its natural id: the period, its kind and its line."""
    natural = (mapping.name, shape.name, report.budget, report.period, document["command"], *more)
    return Prepared(natural=natural, document=document, place=document["source"]["place"])


def bad(report: Report, fall: Fall, problem: BadValue) -> BadRow:
    """Name the row whose fall cannot be explained."""
    return BadRow(report.table.file, fall.row.line, problem.column, problem.reason)
