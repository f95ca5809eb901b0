"""What a document of lines must fulfil: distinct lines, sums (I2) and the balance identity (I1).

I - II - III - IV = V on the sections that the document gives, VI/VII = -V where it gives
financing; a missing section is recorded as missing, never invented (K25 9, design §9.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ledger.errors import Refuse
from ledger.terms import LineAmount, Total

if TYPE_CHECKING:
    from ledger.decision import Case

Paths = Mapping[tuple[str, ...], int]


def check_document(
    case: Case,
    result: Paths,
    lines: Sequence[LineAmount],
    totals: Sequence[Total],
    balance_minor: int | None,
) -> None:
    """Refuse a document whose lines repeat or nest, whose sums or balance do not hold.

    `result` is the budget after the document: every line's legislated amount in minor units.
    """
    if not lines:
        raise Refuse("empty-document", "the document has no lines", rule="I2")
    paths = [part.line for part in lines]
    if len(set(paths)) != len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise Refuse(
            "duplicate-line",
            f"line {' / '.join(twice)} stands twice",
            rule="I2",
            line=" / ".join(twice),
        )
    check_nesting(result)
    for part in lines:
        if part.amount_minor < 0 and not part.contra:
            raise Refuse(
                "negative-amount",
                f"line {' / '.join(part.line)} is negative and not declared a contra line",
                rule="I27",
                line=" / ".join(part.line),
                amount_minor=part.amount_minor,
            )
        if part.amount_minor > 0 and part.contra:
            raise Refuse(
                "contra-positive",
                f"the contra line {' / '.join(part.line)} is above zero",
                rule="I27",
                line=" / ".join(part.line),
                amount_minor=part.amount_minor,
            )
    _check_sums(result, totals)
    _check_balance(case, result, balance_minor)


def check_nesting(result: Paths) -> None:
    """Refuse a line that lies below another line of the same document (counted twice)."""
    for path in result:
        for depth in range(1, len(path)):
            if path[:depth] in result:
                raise Refuse(
                    "nested-line",
                    f"{' / '.join(path)} lies below the line {' / '.join(path[:depth])}",
                    rule="I2",
                    line=" / ".join(path),
                )


def _check_sums(result: Paths, totals: Sequence[Total]) -> None:
    """Refuse a control total that is not the sum of its lines (I2)."""
    sums: dict[tuple[str, ...], int] = {}
    for path, amount in result.items():
        for depth in range(1, len(path) + 1):
            sums[path[:depth]] = sums.get(path[:depth], 0) + amount
    for total in totals:
        found = sums.get(total.line, 0)
        if found != total.amount_minor:
            raise Refuse(
                "hierarchy-sum",
                f"the lines of {' / '.join(total.line)} sum to "
                "another amount than the document says",
                rule="I2",
                line=" / ".join(total.line),
                lines_minor=found,
                document_minor=total.amount_minor,
            )


def _check_balance(case: Case, result: Paths, balance_minor: int | None) -> None:
    """Refuse a document whose sections do not give the balance it states (I1)."""
    jurisdiction = case.jurisdiction
    identity = financing = 0
    sides = set()
    financed = False
    for path, amount in result.items():
        section = jurisdiction.section(path[0])
        if section is None:
            continue
        identity += section.identity * amount
        financing += section.financing * amount
        financed = financed or section.financing != 0
        if section.identity:
            sides.add(section.side)
    if len(sides) > 1 and balance_minor is None:
        raise Refuse(
            "balance-missing",
            "a budget with receipts and spending states its balance",
            rule="I1",
            law="K25 9",
            computed_minor=identity,
        )
    if balance_minor is not None and balance_minor != identity:
        raise Refuse(
            "balance-identity",
            "I - II - III - IV is not the balance that the document states",
            rule="I1",
            law="K25 9",
            computed_minor=identity,
            document_minor=balance_minor,
        )
    if financed and financing != -identity:
        raise Refuse(
            "financing-identity",
            "the financing is not the balance with the other sign",
            rule="I1",
            law="K25 9",
            financing_minor=financing,
            balance_minor=identity,
        )
