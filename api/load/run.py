"""Loading files: read everything, post what can be posted, report the rest with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from api.load import approval, exemptions, payments, statement, transfers, versions
from api.load.commands import Prepared, Reading, openings, unreadable
from api.load.compare import compare, same
from api.load.door import Door
from api.load.mapping import (
    Approval,
    Document,
    Exemptions,
    Mapping,
    Payments,
    Statement,
    Transfers,
    Versions,
)
from api.load.outcome import LoadRefused, LoadReport
from api.load.rows import BadRow, BadValue, Table, read_table

BATCH = 500
"""Commands of one submission where they may fail alone."""
ATTEMPTS_MAX = 100
Progress = Callable[[int, int], None]


@dataclass(kw_only=True)
class Plan:
    """What the files say, before anything is posted."""

    prepared: list[Prepared] = field(default_factory=list)
    statements: list[tuple[Statement, statement.Report]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    parts: list[dict[str, str]] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)


@dataclass(kw_only=True)
class _Posting:
    """How one load posts."""

    mapping: Mapping
    door: Door
    report: LoadReport
    atomic: bool
    retry: bool
    progress: Progress
    done: int = 0
    total: int = 0
    taken: set[int] = field(default_factory=set)


async def load(
    mapping: Mapping,
    files: Sequence[Path],
    door: Door,
    *,
    atomic: bool = False,
    retry: bool = False,
    progress: Progress | None = None,
) -> LoadReport:
    """Load files by a mapping; loading them again changes nothing.

    With `atomic` nothing is posted if any row is bad, and the commands are posted all or none
    (each statement of a period on its own, because the next one is measured against it). With
    `retry` a command that was refused at an earlier load is asked again under a new id. Raises
    `LoadRefused` where the files as a set make no sense.
    """
    report = LoadReport(mapping=mapping.name, files=[path.name for path in files])
    plan = prepare(mapping, files, report)
    if atomic and report.bad_rows:
        report.notes.append("nothing was posted: every row must be good with atomic")
        _disclaim(plan, set(), report)
        return report
    posting = _Posting(mapping=mapping, door=door, report=report, atomic=atomic, retry=retry,
                       progress=progress or (lambda _done, _total: None))  # fmt: skip
    await door.adopt(mapping.jurisdiction)
    first = [*_openings(mapping, plan), *plan.prepared]
    posting.total = len(first) + sum(2 * len(found.lines) for _, found in plan.statements)
    await _post(posting, first)
    _disclaim(plan, posting.taken, report)
    for number, (shape, found) in enumerate(plan.statements):
        if not await _post_statement(posting, shape, found, plan.unreadable):
            left = [later.table.file for _, later in plan.statements[number + 1 :]]
            if left:
                report.notes.append(f"not loaded after {found.table.file}: {', '.join(left)}")
            break
    posting.progress(posting.total, posting.total)
    return report


def prepare(mapping: Mapping, files: Sequence[Path], report: LoadReport) -> Plan:
    """Read all files into commands and statements; problems and controls go into the report."""
    tables = _tables(mapping, files)
    plan = Plan(parts=[dict(table.parts) for found in tables.values() for table in found])
    for shape in mapping.documents:
        for table in tables.get(shape.file, ()):
            if isinstance(shape, Statement):
                found, reading = statement.read(mapping, shape, table)
                if found:
                    plan.statements.append((shape, found))
                else:
                    plan.unreadable.append(table.file)
            else:
                reading = _read(mapping, shape, table, tables)
            wrong = {id(c): unreadable(mapping, c) for c in reading.commands}
            plan.prepared += [c for c in reading.commands if wrong[id(c)] is None]
            report.bad([*reading.bad, *(bad for bad in wrong.values() if bad is not None)])
            report.controls += reading.controls
            plan.readings.append(reading)
            report.notes += reading.notes
    plan.statements.sort(key=lambda pair: (pair[1].budget, pair[1].closing))
    return plan


def _read(
    mapping: Mapping, shape: Document, table: Table, tables: dict[str, list[Table]]
) -> Reading:
    """Read one table by its shape."""
    match shape:
        case Approval():
            figures = _companion(shape.figures.file, shape.name, tables) if shape.figures else None
            return approval.read(mapping, shape, table, figures)
        case Versions():
            return versions.read(mapping, shape, table)
        case Transfers():
            check = _companion(shape.check.file, shape.name, tables) if shape.check else None
            return transfers.read(mapping, shape, table, check)
        case Exemptions():
            return exemptions.read(mapping, shape, table)
        case Payments():
            return payments.read(mapping, shape, table)
    raise TypeError(shape.shape)


def _companion(pattern: str, name: str, tables: dict[str, list[Table]]) -> Table:
    """Return the one other file that a document needs."""
    found = tables.get(pattern, [])
    if len(found) != 1:
        raise LoadRefused(f"{name} also needs one file named {pattern}, {len(found)} are given")
    return found[0]


def _patterns(mapping: Mapping) -> list[str]:
    """Return every pattern of file names that the mapping declares."""
    found = []
    for shape in mapping.documents:
        found.append(shape.file)
        if isinstance(shape, Approval) and shape.figures:
            found.append(shape.figures.file)
        if isinstance(shape, Transfers) and shape.check:
            found.append(shape.check.file)
    return list(dict.fromkeys(found))


def _tables(mapping: Mapping, files: Sequence[Path]) -> dict[str, list[Table]]:
    """Read the files under the patterns that their names match, in the order of names."""
    names = [path.name for path in files]
    if not names:
        raise LoadRefused("no files are given and the mapping names none")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LoadRefused(f"two files are named {twice[0]}: names are part of the ids")
    found: dict[str, list[Table]] = {}
    patterns = _patterns(mapping)
    for path in sorted(files, key=lambda path: path.name):
        matches = [(p, m) for p in patterns if (m := re.fullmatch(p, path.name))]
        if not matches:
            raise LoadRefused(f"{path.name} matches no file of the mapping {mapping.name}: "
                              f"{', '.join(patterns)}")  # fmt: skip
        if not path.is_file():
            raise LoadRefused(f"there is no file {path}")
        for pattern, match in matches:
            table = read_table(path, parts=match.groupdict(), encodings=mapping.encodings,
                               delimiter=mapping.delimiter, form=mapping.form)  # fmt: skip
            found.setdefault(pattern, []).append(table)
    return found


def _disclaim(plan: Plan, taken: set[int], report: LoadReport) -> None:
    """Say of the control totals of commands that were not all taken: not in the ledger."""
    absent = {
        id(control)
        for reading in plan.readings
        for control in reading.controls
        if not reading.commands or any(id(c) not in taken for c in reading.commands)
    }
    report.controls = [
        replace(control, found="not loaded") if id(control) in absent else control
        for control in report.controls
    ]


def _openings(mapping: Mapping, plan: Plan) -> list[Prepared]:
    """Return one OpenBudget for each budget that the plan names."""
    named = [*plan.prepared]
    named += [Prepared(natural=(), document={"budget": found.budget}, place="")
              for _, found in plan.statements]  # fmt: skip
    unique: dict[tuple[str, ...], Prepared] = {}
    for parts in plan.parts:
        for prepared in openings(mapping, named, parts):
            unique.setdefault(prepared.natural, prepared)
    return list(unique.values())


async def _post(posting: _Posting, prepared: Sequence[Prepared]) -> bool:
    """Post commands and count the answers; return whether all were accepted."""
    refused = len(posting.report.refused)
    for batch in _batches(prepared, len(prepared) if posting.atomic else BATCH):
        documents = [command.attempt() for command in batch]
        answers = await posting.door.submit(documents, atomic=posting.atomic)
        for attempt in range(1, ATTEMPTS_MAX + 1):
            again = [n for n, answer in enumerate(answers) if posting.retry
                     and answer["status"] == "refused" and answer.get("replayed")]  # fmt: skip
            if not again:
                break
            for n in again:
                documents[n] = batch[n].attempt(attempt)
            places = range(len(batch)) if posting.atomic else again
            newer = await posting.door.submit([documents[n] for n in places],
                                              atomic=posting.atomic)  # fmt: skip
            for n, answer in zip(places, newer, strict=True):
                answers[n] = answer
        for command, document, answer in zip(batch, documents, answers, strict=True):
            posting.report.count(document, command.place_of(answer), answer)
            if answer["status"] == "accepted":
                posting.taken.add(id(command))
        posting.done += len(batch)
        posting.progress(min(posting.done, posting.total), posting.total)
    return len(posting.report.refused) == refused


def _batches(prepared: Sequence[Prepared], size: int) -> Iterator[Sequence[Prepared]]:
    """Yield slices of at most `size`."""
    for start in range(0, len(prepared), size or 1):
        yield prepared[start : start + size]


async def _post_statement(
    posting: _Posting, shape: Statement, found: statement.Report, not_read: Sequence[str]
) -> bool:
    """Post what a period's statement implies and compare the ledger with it afterwards."""
    mapping, door, report, file = posting.mapping, posting.door, posting.report, found.table.file

    def refuse(reason: str) -> bool:
        report.bad([BadRow(file, 0, "", reason)])
        return False

    if not_read:
        return refuse(f"not loaded: {', '.join(not_read)} cannot be read and may come before it")
    views = {}
    for day in (found.opening, found.closing, found.year_end):
        rows = await door.execution(found.budget, day)
        views[day] = statement.ledger_figures(mapping, shape, rows)
    before, after = views[found.opening], views[found.closing]
    if not before:
        return refuse(f"{found.budget} has no approved lines: load its law first")
    if not same(views[found.year_end], after) and not same(after, found.lines):
        return refuse("the ledger already holds a later period and other figures for this one; "
                      "periods are loaded in their order")  # fmt: skip
    prepared, falls = statement.commands(mapping, shape, found, before)
    for fall in falls:
        paid = await door.payments(found.budget, fall.path, found.opening)
        try:
            prepared += statement.recoveries(mapping, shape, found, fall, paid)
        except BadValue as problem:
            report.bad([statement.bad(found, fall, problem)])
            return False
    wrong = [bad for command in prepared if (bad := unreadable(mapping, command))]
    if wrong:
        report.bad(wrong)
        return False
    if not await _post(posting, prepared):
        return False
    rows = await door.execution(found.budget, found.closing)
    compare(mapping, shape, found, statement.ledger_figures(mapping, shape, rows), report)
    return True
