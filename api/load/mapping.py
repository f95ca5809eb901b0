"""The schema of mapping files: what the columns of a table mean, declared and checked strictly.

A template is text in which `{name}` stands for a column of the row or a named group of the
file's name; everything else stands for itself. Unknown keys are errors.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from api.load.rows import Form


class MappingInvalid(Exception):
    """A mapping file that cannot be used; `problems` are (place, reason)."""

    def __init__(self, name: str, problems: list[tuple[str, str]]) -> None:
        text = "; ".join(f"{place}: {reason}" if place else reason for place, reason in problems)
        super().__init__(f"{name}: {text}")
        self.problems = problems


def _template(value: Any) -> Any:
    """Let a template also be written as a TOML date or integer."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _regex(value: str) -> str:
    """Check that a pattern compiles."""
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


Template = Annotated[str, BeforeValidator(_template), Field(min_length=1)]
Pattern = Annotated[str, AfterValidator(_regex)]
PathTemplate = Annotated[list[Template], Field(min_length=1, max_length=9)]
Codes = Annotated[list[str], Field(min_length=1)]


class Declared(BaseModel):
    """Base of all parts of a mapping: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DeclaredActor(Declared):
    """Who acts, by id and capacity."""

    id: Template
    capacity: Template


class DeclaredAct(Declared):
    """The act or payment document behind a command."""

    id: Template
    date: Template
    article: Template | None = None


class DeclaredSource(Declared):
    """Where imported history comes from; `inferred` names fields the source does not give."""

    name: Template
    recorded_on: Template
    inferred: list[str] = []


class Opening(Declared):
    """How budgets are opened: the same in every mapping that names them, so that it replays."""

    actor: DeclaredActor
    act: DeclaredAct
    source: DeclaredSource


class Budget(Declared):
    """A budget that the tables name; `names` are its names in the tables."""

    code: Template
    level: int
    region: int
    year: Template
    title: Template
    parent: Template | None = None
    names: list[str] = []


class Shape(Declared):
    """What every document shape declares; `name` is part of the commands' ids."""

    name: str
    file: Pattern
    budget: Template
    actor: DeclaredActor
    act: DeclaredAct
    adopted_on: Template | None = None
    reason: Template | None = None
    source: DeclaredSource | None = None


class FigureLine(Declared):
    """A line of a document that another table gives by item, with a path of its own."""

    item: str
    line: Codes
    title: str | None = None


class Figures(Declared):
    """A table of named figures: control totals, the balance and lines of their own."""

    file: Pattern
    item: Template
    amount: Template
    balance: str | None = None
    totals: list[FigureLine] = []
    lines: list[FigureLine] = []


class Totals(Declared):
    """Which rows of a table are control totals: those with one of the values in the column."""

    column: str
    values: list[str]


class PublishedSum(Declared):
    """A subtotal printed on every row of its group, compared only: differences are notes.

    In a statement `*` in `amount` stands for what follows the first "_" of each measure's column.
    """

    name: str
    by: list[Template]
    amount: Template


class Approval(Shape):
    """A table whose rows are the lines of one approved budget."""

    shape: Literal["approval"]
    effective_from: Template
    line: PathTemplate
    amount: Template
    title: Template | None = None
    totals: Totals | None = None
    figures: Figures | None = None
    contra: list[Codes] = []
    published: list[PublishedSum] = []


class VersionLine(Declared):
    """A line that a version's row gives in a column."""

    line: Codes
    amount: Template
    title: str | None = None


class VersionTransfer(Declared):
    """What a version's act says about a transfer."""

    transfer: Literal["subvention", "withdrawal", "targeted"]
    side: Literal["pays", "receives"]
    peer: Template
    amount: Template
    purpose: Template | None = None


class Versions(Shape):
    """A table whose rows are redactions of one budget: the first approves, the others amend."""

    shape: Literal["versions"]
    version: Template
    effective_from: Template
    lines: list[VersionLine]
    totals: list[VersionLine] = []
    balance: Template | None = None
    transfers: list[VersionTransfer] = []


class CheckedSum(Declared):
    """The published sum of the rows of one kind, found in a table of named figures."""

    file: Pattern
    item: Template
    amount: Template
    sums: dict[str, str]


class Transfers(Shape):
    """A table of transfers as one budget's act fixes them; `names` adds names of budgets."""

    shape: Literal["transfers"]
    effective_from: Template
    transfer: Template
    payer: Template
    receiver: Template
    amount: Template
    purpose: Template | None = None
    names: dict[str, str] = {}
    check: CheckedSum | None = None


class Exemptions(Shape):
    """A table of entries of one sequestration-exempt list, by line or by name."""

    shape: Literal["exemptions"]
    effective_from: Template
    effective_until: Template | None = None
    line: PathTemplate | None = None
    title: Template
    sector: Template | None = None
    levels: list[int] = []


class Payments(Shape):
    """A table whose rows are payments; the key is the file's name and the line number."""

    shape: Literal["payments"]
    line: PathTemplate
    amount: Template
    value_date: Template
    payee: Template | None = None


class Statement(Shape):
    """A cumulative report of one period: plans and actual since the year's start.

    `period` is the template that names the file's period; `months` gives each period's length
    since the start of the year. Where the period plan's column is absent, the period is the
    whole year and its plan the annual plan. `rounding` (in the file's unit) is how far a line's
    approved amount may differ from the ledger's, because the report prints fewer decimals.
    """

    shape: Literal["statement"]
    adjuster: DeclaredActor
    year: Template
    year_starts: str = "01-01"
    period: Template
    months: dict[str, int]
    line: PathTemplate
    title: Template | None = None
    approved: Template
    adjusted: Template
    plan: Template
    executed: Template
    contra: list[Codes] = []
    duplicates: Literal["refuse", "sum"] = "refuse"
    rounding: str = "0"
    published: list[PublishedSum] = []


Document = Annotated[
    Approval | Versions | Transfers | Exemptions | Payments | Statement,
    Field(discriminator="shape"),
]


class Mapping(Declared):
    """One mapping file: everything that turns the files of a source into commands."""

    name: str
    title: str
    jurisdiction: str
    source: DeclaredSource
    opening: Opening
    budgets: list[Budget]
    documents: Annotated[list[Document], Field(min_length=1)]
    files: list[str] = []
    encodings: Annotated[list[str], Field(min_length=1)] = ["utf-8-sig"]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    unit: Annotated[int, Field(ge=1)] = 1
    decimals: Annotated[int, Field(ge=0, le=4)] = 2
    decimal_mark: Literal[".", ","] = "."
    group_mark: Annotated[str, Field(max_length=1)] = ""
    dates: str = "%Y-%m-%d"

    @property
    def form(self) -> Form:
        """How the files write figures and dates."""
        return Form(
            unit=self.unit,
            decimals=self.decimals,
            decimal_mark=self.decimal_mark,
            group_mark=self.group_mark,
            dates=self.dates,
        )

    @model_validator(mode="after")
    def _distinct(self) -> Mapping:
        """Refuse names and codes that stand twice: ids are made of them."""
        for what, found in (("document", [d.name for d in self.documents]),
                            ("budget", [b.code for b in self.budgets])):  # fmt: skip
            twice = {name for name in found if found.count(name) > 1}
            if twice:
                raise ValueError(f"{what} {', '.join(sorted(twice))} is declared twice")
        for encoding in self.encodings:
            try:
                codecs.lookup(encoding)
            except LookupError:
                raise ValueError(f"unknown encoding {encoding}") from None
        return self


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file and what it includes. Raises `MappingInvalid` naming each place."""
    content = _toml(path)
    for name in content.pop("include", []):
        content = {**_toml(path.parent / name), **content}
    try:
        return Mapping.model_validate(content)
    except ValidationError as error:
        problems = [
            (".".join(str(step) for step in found["loc"]), found["msg"])
            for found in error.errors(include_url=False, include_input=False)
        ]
        raise MappingInvalid(path.name, problems) from None


def default_files(mapping: Mapping, path: Path) -> list[Path]:
    """Return the files a mapping names itself, relative to the mapping file."""
    return [(path.parent / name).resolve() for name in mapping.files]


def _toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises `MappingInvalid` where it is missing or no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingInvalid(path.name, [("", str(error))]) from None
