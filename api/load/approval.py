"""A table of lines becomes one approval: a bad row refuses the document whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.load.commands import Prepared, Reading, envelope, money, path_of
from api.load.mapping import Approval, Figures, Mapping, PublishedSum
from api.load.outcome import ControlTotal
from api.load.rows import BadRow, BadValue, Row, Table


def read(mapping: Mapping, shape: Approval, table: Table, figures: Table | None) -> Reading:
    """Return ApproveBudget with every line, the control totals and the balance; or bad rows."""
    reading = Reading(bad=[*table.problems, *table.missing(_columns(shape))])
    document: dict[str, Any] = {}
    try:
        document = envelope(mapping, shape, table.head(), "ApproveBudget")
        document["effective_from"] = table.head().day(shape.effective_from)
        document["source"]["place"] = table.file
    except BadValue as problem:
        reading.bad.append(table.head().bad(problem))
    if reading.bad:
        return reading
    lines: list[dict[str, Any]] = []
    totals: list[dict[str, Any]] = []
    seen: dict[tuple[str, ...], int] = {}
    for row in table.rows:
        try:
            is_total = shape.totals is not None and row.text(
                f"{{{shape.totals.column}}}") in shape.totals.values  # fmt: skip
            part = _part(shape, row, is_total=is_total)
            _once(seen, part["line"], row)
        except BadValue as problem:
            reading.bad.append(row.bad(problem))
            continue
        (totals if is_total else lines).append(part)
    sums = _sums(lines)
    balance = None
    if shape.figures:
        balance = _add_figures(mapping, shape.figures, figures, reading, lines, totals, sums)
    if reading.bad:
        return reading
    reading.notes = published(mapping, table, shape.published, shape.amount)
    document["lines"] = [_wire(mapping, part) for part in lines]
    if totals:
        document["totals"] = [_wire(mapping, total) for total in totals]
    if balance is not None:
        document["balance"] = money(mapping, balance)
    natural = (mapping.name, shape.name, document["budget"], document["act"]["id"])
    reading.commands.append(Prepared(
        natural=natural, document=document, place=table.file, rows=seen,
        columns=[template.strip("{}") for template in shape.line],
    ))  # fmt: skip
    return reading


def published(
    mapping: Mapping, table: Table, sums: Sequence[PublishedSum], amount: str
) -> list[str]:
    """Compare printed subtotals with the rows that carry the money; differences are notes."""
    notes = []
    for declared in sums:
        found: dict[tuple[str, ...], int] = {}
        printed: dict[tuple[str, ...], set[int]] = {}
        try:
            for row in table.rows:
                group = tuple(row.text(template) for template in declared.by)
                found[group] = found.get(group, 0) + row.amount(amount)
                printed.setdefault(group, set()).add(row.amount(declared.amount))
        except BadValue as problem:
            notes.append(f"{table.file}: {declared.name} not compared: {problem.reason}")
            continue
        gaps = [max(abs(p - found[group]) for p in values) for group, values in printed.items()]
        wrong = [gap for gap in gaps if gap]
        if wrong:
            notes.append(f"{table.file}: {declared.name}: {len(wrong)} of {len(gaps)} printed "
                         f"subtotals differ from their rows, by {money(mapping, max(wrong))} "
                         "at most")  # fmt: skip
    return notes


def _columns(shape: Approval) -> list[str]:
    """Return every template that the rows must fill."""
    found = [*shape.line, shape.amount, *(p.amount for p in shape.published)]
    if shape.title:
        found.append(shape.title)
    if shape.totals:
        found.append(f"{{{shape.totals.column}}}")
    return found


def _part(shape: Approval, row: Row, *, is_total: bool) -> dict[str, Any]:
    """Return a row's path, amount in minor units and title; only a contra line is negative."""
    path = path_of(row, shape.line, prefix=is_total)
    minor = row.amount(shape.amount)
    contra = path in shape.contra
    if minor < 0 and not contra and not is_total:
        raise BadValue(shape.amount.strip("{}"), "negative, and not declared a contra line")
    title = row.title(shape.title) if shape.title else ""
    return {"line": path, "minor": minor, "title": title, "contra": contra}


def _once(seen: dict[tuple[str, ...], int], path: list[str], row: Row) -> None:
    """Refuse a path that stands twice."""
    before = seen.setdefault(tuple(path), row.line)
    if before != row.line:
        raise BadValue("", f"{' / '.join(path)} stands on line {before} already")


def _sums(lines: Sequence[dict[str, Any]]) -> dict[tuple[str, ...], int]:
    """Return the sum of the lines below every prefix."""
    found: dict[tuple[str, ...], int] = {}
    for part in lines:
        path = tuple(part["line"])
        for depth in range(1, len(path) + 1):
            found[path[:depth]] = found.get(path[:depth], 0) + part["minor"]
    return found


def _add_figures(
    mapping: Mapping,
    declared: Figures,
    table: Table | None,
    reading: Reading,
    lines: list[dict[str, Any]],
    totals: list[dict[str, Any]],
    sums: dict[tuple[str, ...], int],
) -> int | None:
    """Add lines and control totals that stand in a table of figures; return the balance."""
    if table is None:
        return None
    values = read_figures(table, declared.item, declared.amount, reading.bad)
    wanted = [f.item for f in (*declared.totals, *declared.lines)]
    wanted += [declared.balance] if declared.balance else []
    absent = [item for item in wanted if item not in values]
    reading.bad += [BadRow(table.file, 0, "", f"no row gives {item}") for item in absent]
    if reading.bad:
        return None
    known = {tuple(part["line"]) for part in totals}
    for total in declared.totals:
        minor, path = values[total.item], tuple(total.line)
        reading.controls.append(ControlTotal(
            name=total.item, file=table.file, published=money(mapping, minor),
            found=money(mapping, sums.get(path, 0)),
        ))  # fmt: skip
        if path in sums and path not in known:
            totals.append({"line": total.line, "minor": minor})
    lines += [{"line": line.line, "minor": values[line.item], "title": line.title,
               "contra": False} for line in declared.lines]  # fmt: skip
    return values[declared.balance] if declared.balance else None


def read_figures(table: Table, item: str, amount: str, bad: list[BadRow]) -> dict[str, int]:
    """Return a table of named figures; problems are added to `bad`."""
    problems = [*table.problems, *table.missing([item, amount])]
    bad += problems
    found = {}
    for row in table.rows if not problems else ():
        try:
            found[row.filled(item)] = row.amount(amount)
        except BadValue as problem:
            bad.append(row.bad(problem))
    return found


def _wire(mapping: Mapping, part: dict[str, Any]) -> dict[str, Any]:
    """Return a line in the wire format."""
    found = {"line": part["line"], "amount": money(mapping, part["minor"])}
    if part.get("contra"):
        found["contra"] = True
    if part.get("title"):
        found["title"] = part["title"]
    return found
