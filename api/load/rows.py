"""Reading tables: every value keeps its file, physical line and column for the reports.

CSV with a header; encodings are tried in the declared order. A problem is a `BadRow`, never a
guess: amounts are exact, dates are real days, a missing code is named.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from ledger.money import scale

_AMOUNT = re.compile(r"^-?[0-9]{1,18}(\.[0-9]{1,6})?$")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_ONLY = re.compile(r"^\{([^{}]+)\}$")


@dataclass(frozen=True)
class BadRow:
    """What is wrong with one row: line 0 means the file as a whole."""

    file: str
    line: int
    column: str
    reason: str


class BadValue(Exception):
    """A value that cannot be used, with its column."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a file writes its figures: unit, decimals of the currency, marks and dates."""

    unit: int = 1
    decimals: int = 2
    decimal_mark: str = "."
    group_mark: str = ""
    dates: str = "%Y-%m-%d"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One record of a table with the physical line it starts on; parts come from the file name."""

    file: str
    line: int
    values: Mapping[str, str]
    form: Form = field(default_factory=Form)

    @property
    def place(self) -> str:
        """Write the row's place as "file:line"."""
        return f"{self.file}:{self.line}"

    def text(self, template: str) -> str:
        """Fill a template: `{column}` is that column's value, anything else stands for itself."""
        return _PLACEHOLDER.sub(lambda found: self._value(found[1]), template).strip()

    def title(self, template: str) -> str:
        """Fill a template for people to read: any run of blanks or line ends is one blank."""
        return " ".join(self.text(template).split())

    def filled(self, template: str) -> str:
        """Fill a template whose every value must be there."""
        for name in names_of(template):
            if not self._value(name).strip():
                raise BadValue(name, "the value is empty")
        return self.text(template)

    def amount(self, template: str) -> int:
        """Return an amount in minor units, exactly."""
        column = column_of(template)
        text = self.filled(template)
        if self.form.group_mark:
            text = text.replace(self.form.group_mark, "")
        text = text.replace(self.form.decimal_mark, ".")
        if not _AMOUNT.match(text):
            raise BadValue(column, f"{text[:40]!r} is not an amount")
        try:
            return scale(text, Decimal(self.form.unit), self.form.decimals)
        except ValueError as error:
            raise BadValue(column, str(error)) from None

    def day(self, template: str) -> str:
        """Return a day as "YYYY-MM-DD"; a bare column is read in the file's own date form."""
        text = self.filled(template)
        try:
            if _ONLY.match(template) and self.form.dates != "%Y-%m-%d":
                return datetime.strptime(text, self.form.dates).date().isoformat()  # noqa: DTZ007
            if len(text) != len("2025-01-01"):
                raise ValueError  # noqa: TRY301 - one message for every way to be no day
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise BadValue(column_of(template), f"{text[:40]!r} is not a day") from None

    def bad(self, problem: BadValue) -> BadRow:
        """Name this row as the place of a problem."""
        return BadRow(self.file, self.line, problem.column, problem.reason)

    def _value(self, name: str) -> str:
        try:
            return self.values[name]
        except KeyError:
            raise BadValue(name, "neither a column nor a part of the file's name") from None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A file's rows, its columns and the parts of its name."""

    file: str
    parts: Mapping[str, str]
    columns: Sequence[str]
    rows: Sequence[Row]
    problems: Sequence[BadRow] = ()
    form: Form = field(default_factory=Form)

    def head(self) -> Row:
        """Return a row that knows the parts of the file's name only."""
        return Row(file=self.file, line=1, values=self.parts, form=self.form)

    def missing(self, templates: Iterable[str]) -> list[BadRow]:
        """Name every column that the templates need and the file does not have."""
        known = {*self.columns, *self.parts}
        wanted = dict.fromkeys(name for t in templates for name in names_of(t))
        return [BadRow(self.file, 1, name, "the file has no such column")
                for name in wanted if name not in known]  # fmt: skip


def names_of(template: str) -> list[str]:
    """Return the names in braces of a template."""
    return _PLACEHOLDER.findall(template)


def column_of(template: str) -> str:
    """Name the column of a template for a report; empty for a constant."""
    return ", ".join(names_of(template))


def decode(content: bytes, encodings: Sequence[str]) -> str:
    """Return the text in the first declared encoding that fits. Raises BadValue if none does."""
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadValue("", f"the text is in none of the encodings {', '.join(encodings)}")


def read_table(
    path: Path,
    *,
    parts: Mapping[str, str],
    encodings: Sequence[str],
    delimiter: str,
    form: Form,
) -> Table:
    """Read a file; rows with a wrong number of fields become problems."""
    try:
        text = decode(path.read_bytes(), encodings)
        records = list(_records(text, delimiter))
    except (BadValue, csv.Error) as error:
        bad = [BadRow(path.name, 0, "", str(error))]
        return Table(file=path.name, parts=parts, columns=(), rows=(), problems=bad, form=form)
    columns = [name.strip() for name in records[0][1]] if records else []
    problems = [BadRow(path.name, 1, name, "the column stands twice")
                for name in dict.fromkeys(columns) if columns.count(name) > 1]  # fmt: skip
    if not columns:
        problems.append(BadRow(path.name, 0, "", "the file is empty"))
    rows = []
    for line, fields in records[1:]:
        if len(fields) == len(columns):
            values = {**parts, **dict(zip(columns, fields, strict=True))}
            rows.append(Row(file=path.name, line=line, values=values, form=form))
        else:
            reason = f"{len(fields)} fields, the header has {len(columns)}"
            problems.append(BadRow(path.name, line, "", reason))
    return Table(file=path.name, parts=parts, columns=columns, rows=rows, problems=problems,
                 form=form)  # fmt: skip


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (first physical line, fields) of each record; blank lines are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    for fields in reader:
        if fields:
            yield line, fields
        line = reader.line_num + 1
