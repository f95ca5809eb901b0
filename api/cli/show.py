"""What people see: tables, amounts with separators, progress bars on a terminal; else JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

WIDE = 100_000
"""Columns of an output that is no terminal: nothing is wrapped there."""
Tell = Callable[[int, int], None]


def emit(document: Any) -> None:
    """Write a document as JSON to standard output."""
    option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    sys.stdout.buffer.write(orjson.dumps(document, option=option, default=str))
    sys.stdout.flush()


def one_line(document: Any) -> str:
    """Return a document as one line of JSON."""
    return orjson.dumps(document, default=str).decode()


def say(text: str) -> None:
    """Write a line for people to standard output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Write a line beside the result, to standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()
) -> None:
    """Show rows under headings; the columns named in `right` hold figures."""
    width = None if sys.stdout.isatty() else WIDE
    shown = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for heading in headings:
        figures = heading in right
        shown.add_column(heading, justify="right" if figures else "left", no_wrap=figures,
                         overflow="fold")  # fmt: skip
    for row in rows:
        shown.add_row(*row)
    console = Console(width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)
    with console.capture() as captured:
        console.print(shown)
    say("\n".join(text.rstrip() for text in captured.get().rstrip("\n").split("\n")))


class Amounts:
    """Writes amounts in one unit, exactly: as many decimals as the longest of them needs."""

    def __init__(self, texts: Sequence[str], unit: int = 1) -> None:
        """Take all decimal strings that will be shown, and the unit."""
        self.unit = Decimal(unit)
        whole = [(Decimal(text) / self.unit).normalize() for text in texts]
        self.decimals = max((max(0, -_exponent(value)) for value in whole), default=0)

    def __call__(self, text: str | None) -> str:
        """Write one amount with a blank between thousands."""
        if text is None:
            return ""
        value = Decimal(text) / self.unit
        return f"{value:,.{self.decimals}f}".replace(",", " ")


def is_zero(text: str) -> bool:
    """Tell whether an amount is zero."""
    return not Decimal(text)


def _exponent(value: Decimal) -> int:
    """Return the exponent of a finite number."""
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def path(line: Sequence[str]) -> str:
    """Write a line's path for people; codes may hold any sign, so this is not read back."""
    return " ".join(line)


@contextmanager
def progress(text: str, *, quiet: bool = False) -> Iterator[Tell]:
    """Show a bar on a terminal's standard error; elsewhere nothing."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
