"""Questions to the execution projection: the report, the lines, the warnings.

`effective` (an amount counts from its legal effect on), `adopted` (acts adopted by a day) and
`known` (what was recorded by a sequence) filter independently. Without `known` the live sums
answer, with it the events themselves; both say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from ledger.errors import NotFound, Unavailable
from ledger.rules import Rules
from ledger.store.read import Head, find_heads
from projections.budget_execution.figures import (
    ExecutionReport,
    ExecutionRow,
    Figures,
    Path,
    cut_at,
    cut_by,
    figures,
    group,
    identity,
    ordered,
    row_of,
    title_of,
)
from projections.budget_execution.fold import NAME, SUMMED, titles
from projections.registry import sql


@dataclass(frozen=True)
class Selected:
    """Figures and titles of a budget's lines, where they are true, and how many were flagged."""

    sequence: int
    lines: dict[Path, Figures]
    titles: dict[Path, str]
    warnings: int


async def report(  # noqa: PLR0913 - each filter and each cut is a question of its own
    connection: Any, rules: Rules, *, budget: str, effective: date | None = None,
    adopted: date | None = None, known: int | None = None, prefix: Path = (),
    level: int | None = None, by: str | None = None,
) -> ExecutionReport:  # fmt: skip
    """Return the execution report; `effective` defaults to the end of the fiscal year.

    `prefix` selects a branch, `level` the depth of the rows (1 = section), `by` a dimension
    that cuts across. Raises `NotFound` for an unknown budget, `Invalid` for a dimension.
    """
    head = await find_head(connection, budget)
    on = effective or rules.jurisdiction.fiscal_year(head.year).end
    select = _live if known is None else _known
    found = await select(connection, head, on, adopted, known)
    return compose(found, rules, budget=budget, effective=on, adopted=adopted, known=known,
                   prefix=prefix, level=level, by=by)  # fmt: skip


def compose(  # noqa: PLR0913 - each filter and each cut is a question of its own
    found: Selected, rules: Rules, *, budget: str, effective: date, adopted: date | None,
    known: int | None, prefix: Path, level: int | None, by: str | None,
) -> ExecutionReport:  # fmt: skip
    """Return the report of what was selected; pure. Raises `Invalid` for a dimension."""
    jurisdiction, on = rules.jurisdiction, effective
    lines = {path: sums for path, sums in found.lines.items() if path[: len(prefix)] == prefix}
    place = cut_by(by, jurisdiction) if by else cut_at(level)
    names = _group_titles(lines, place, found.titles, rules, on) if by else found.titles
    totals = group(lines, cut_at(1))
    return ExecutionReport(
        budget=budget, currency=jurisdiction.currency, digits=jurisdiction.minor_digits,
        effective=on, adopted=adopted, known=known, sequence=found.sequence,
        rows=_rows(group(lines, place), names, rules, on),
        totals=_rows(totals, found.titles, rules, on),
        identity=identity({path[0]: sums for path, sums in totals.items()}, jurisdiction),
        warnings=found.warnings,
    )  # fmt: skip


def _rows(
    groups: dict[Path, Figures], names: dict[Path, str], rules: Rules, on: date
) -> list[ExecutionRow]:
    """Return rows in the order of the sections and codes."""
    jurisdiction = rules.jurisdiction
    return [
        row_of(path, groups[path], title_of(path, names, rules, on),
               jurisdiction.section(path[0]))
        for path in ordered(groups, jurisdiction)
    ]  # fmt: skip


def _group_titles(
    lines: dict[Path, Figures], place: Any, names: dict[Path, str], rules: Rules, on: date
) -> dict[Path, str]:
    """Return titles of (section, code) rows: what the first branch with that code is called."""
    found: dict[Path, str] = {}
    for path in sorted(lines):
        shown = place(path)
        if len(shown) > 1 and shown not in found:
            dimension = next(d for d in range(2, len(path) + 1) if place(path[:d]) == shown)
            title = title_of(path[:dimension], names, rules, on)
            if title:
                found[shown] = title
    return found


async def find_head(connection: Any, budget: str) -> Head:
    """Return a budget's place. Raises `NotFound`."""
    heads = await find_heads(connection, [budget])
    if budget not in heads:
        raise NotFound("unknown-budget", f"no budget {budget} is open", budget=budget)
    return heads[budget]


async def _live(
    connection: Any, head: Head, on: date, adopted: date | None, _: int | None
) -> Selected:
    """Select from the live tables."""
    rows = await connection.fetch(sql(NAME, "live"), head.region, head.log, on, adopted)
    if not rows:
        raise Unavailable("the execution report is being made")
    sequence = rows[0]["sequence"]
    names = await connection.fetch(
        sql(NAME, "live_titles"), head.region, head.log, sequence, adopted
    )
    flagged = await connection.fetchval(
        sql(NAME, "live_warnings"), head.region, head.log, sequence, on, adopted
    )
    return Selected(
        sequence, {tuple(row["path"]): figures(row) for row in rows if row["path"] is not None},
        {tuple(row["path"]): row["title"] for row in names}, flagged,
    )  # fmt: skip


async def _known(
    connection: Any, head: Head, on: date, adopted: date | None, known: int | None
) -> Selected:
    """Select straight from the events up to a sequence."""
    sequence = await connection.fetchval(sql("", "last_published"), known)
    position = await connection.fetchval(
        sql(NAME, "known_position"), head.region, head.log, sequence
    )
    rows = await connection.fetch(
        sql(NAME, "known"), head.region, head.log, on, adopted, head.year, position,
        sorted(SUMMED),
    )  # fmt: skip
    bodies = await connection.fetch(
        sql(NAME, "documents"), head.region, head.log, position, adopted, head.year
    )
    flagged = await connection.fetchval(
        sql(NAME, "known_warnings"), head.region, head.log, position, on, adopted, head.year
    )
    names = {path: title for row in bodies for path, title in titles(row["body"])}
    return Selected(sequence, {tuple(row["path"]): figures(row) for row in rows}, names, flagged)


@dataclass(frozen=True, kw_only=True)
class BudgetLine:
    """One line of a budget: its number in the log, path and title."""

    number: int
    line: Path
    title: str | None


async def lines(
    connection: Any, rules: Rules, budget: str, *, prefix: Path = (), after: int = 0,
    limit: int = 1000,
) -> list[BudgetLine]:  # fmt: skip
    """Return the lines that a budget has used, in the order of their first use, after a number."""
    head = await find_head(connection, budget)
    on = rules.jurisdiction.fiscal_year(head.year).end
    rows = await connection.fetch(
        sql(NAME, "lines"), head.region, head.log, after, list(prefix), limit
    )
    names = await connection.fetch(sql(NAME, "live_titles"), head.region, head.log, 2**62, None)
    known = {tuple(row["path"]): row["title"] for row in names}
    return [
        BudgetLine(number=row["line"], line=tuple(row["path"]),
                   title=title_of(tuple(row["path"]), known, rules, on))
        for row in rows
    ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Warned:
    """An event that a control in the mode "warn" let through with flags."""

    sequence: int
    position: int
    kind: str
    line: Path | None
    contract: str | None
    effective_from: date
    adopted_on: date
    flags: tuple[str, ...]


async def warnings(
    connection: Any, budget: str, *, after_sequence: int = 0, limit: int = 1000
) -> list[Warned]:
    """Return a budget's flagged events after a sequence."""
    head = await find_head(connection, budget)
    rows = await connection.fetch(
        sql(NAME, "warnings"), head.region, head.log, after_sequence, limit
    )
    return [
        Warned(sequence=row["sequence"], position=row["position"], kind=row["kind"],
               line=tuple(row["path"]) if row["path"] is not None else None,
               contract=row["contract"], effective_from=row["effective_from"],
               adopted_on=row["adopted_on"], flags=tuple(row["flags"]))
        for row in rows
    ]  # fmt: skip
