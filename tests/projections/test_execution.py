"""The worked example E2, question by question, through ledger and projections."""

from datetime import date
from typing import Any

import pytest

from ledger.errors import Invalid, NotFound
from projections import budget_execution
from projections.known import resolve_known
from tests.projections.example import BUDGET, P, Q, post_example

UNIT = 100_000  # tiyn in a thousand tenge
JULY = date(2025, 7, 1)


async def ask(book: Any, **question: Any) -> Any:
    async with book.reader() as connection:
        if isinstance(question.get("known"), str):
            question["known"] = await resolve_known(connection, question["known"])
        rules = book.ledger.rules
        return await budget_execution.report(connection, rules, budget=BUDGET, **question)


def row(report: Any, line: list[str]) -> Any:
    return next(row for row in report.rows if row.line == tuple(line))


async def test_the_worked_example_is_answered(book: Any) -> None:
    answers = await post_example(book)
    refused = {n: a.refusal.code for n, a in answers.items() if a.status != "accepted"}
    assert refused == {"10": "limit-exceeded", "11": "registration-closed"}
    sequence = await book.applied()
    report = await ask(book, effective=JULY)
    p, q = row(report, P), row(report, Q)
    assert report.sequence == sequence
    assert [v // UNIT for v in (p.approved, p.amended, p.adjusted)] == [1000, 1200, 1140]
    assert (p.plan_payments // UNIT, p.plan_payments_year // UNIT) == (950, 1140)
    assert p.plan_commitments // UNIT == 1140
    assert [v // UNIT for v in (p.accepted, p.unpaid, p.executed)] == [600, 420, 180]
    assert (p.percent_of_plan, p.percent_of_budget) == ("18.9", "15.8")
    assert [v // UNIT for v in (q.approved, q.amended, q.adjusted)] == [1000, 1100, 1100]
    assert (q.plan_commitments_year // UNIT, q.plan_payments_year // UNIT) == (1100, 1100)
    assert p.title == "Programme P"


@pytest.mark.parametrize(("effective", "known", "p", "q_adjusted"), [
    ("2025-02-01", "2025-04-01", (1000, 1000, 1000), 1000),
    ("2025-02-01", "2025-04-10", (1000, 1200, 1200), 1100),
    ("2025-02-01", None, (1000, 1200, 1200), 1100),
    ("2025-03-31", "2025-04-01", (1000, 1000, 900), 1100),
    ("2025-03-31", "2025-04-10", (1000, 1200, 1200), 1100),
    ("2025-03-31", "2025-04-10T04:59:59Z", (1000, 1000, 900), 1100),
    ("2025-07-01", "2025-12-31", (1000, 1200, 1140), 1100),
])  # fmt: skip
async def test_effective_and_known_are_independent(
    book: Any, effective: str, known: str | None, p: tuple[int, ...], q_adjusted: int
) -> None:
    await post_example(book)
    await book.applied()
    report = await ask(book, effective=date.fromisoformat(effective), known=known)
    found = row(report, P)
    assert tuple(v // UNIT for v in (found.approved, found.amended, found.adjusted)) == p
    assert row(report, Q).adjusted // UNIT == q_adjusted


async def test_adopted_shows_the_law_as_it_stood(book: Any) -> None:
    await post_example(book)
    await book.applied()
    before = row(await ask(book, effective=JULY, adopted=date(2025, 4, 9)), P)
    assert [v // UNIT for v in (before.amended, before.adjusted)] == [1000, 900]
    after = row(await ask(book, effective=JULY, adopted=date(2025, 4, 10)), P)
    assert [v // UNIT for v in (after.amended, after.adjusted)] == [1200, 1200]


async def test_levels_prefixes_dimensions_totals_and_identity(book: Any) -> None:
    await post_example(book)
    await book.applied()
    sections = await ask(book, level=1)
    assert [r.line for r in sections.rows] == [("revenue",), ("expenditure",)]
    assert sections.rows == sections.totals
    assert [(part.part, part.amended // UNIT, part.executed // UNIT) for part in sections.identity
            ] == [("I", 2300, 900), ("II", 2300, 180), ("V", 0, 720)]  # fmt: skip
    revenue = sections.totals[0]
    assert (revenue.title, revenue.executed // UNIT, revenue.percent_of_budget) == (
        "Доходы", 900, "39.1")  # fmt: skip
    branch = await ask(book, prefix=("expenditure", "01"), level=3)
    assert [(r.line, r.adjusted // UNIT) for r in branch.rows] == [
        (("expenditure", "01", "101"), 2240)]  # fmt: skip
    across = await ask(book, by="administrator")
    assert [r.line for r in across.rows] == [("revenue",), ("expenditure", "101")]
    with pytest.raises(Invalid):
        await ask(book, by="colour")


async def test_unknown_budgets_and_moments_are_refused(book: Any) -> None:
    async with book.reader() as connection:
        with pytest.raises(NotFound):
            await budget_execution.report(connection, book.ledger.rules, budget="KZ-2025-nope")
        for text in ("yesterday", "2025-13-01", "", "1" * 30):
            with pytest.raises(Invalid):
                await resolve_known(connection, text)


async def test_lines_have_titles(book: Any) -> None:
    await post_example(book)
    await book.applied()
    async with book.reader() as connection:
        found = await budget_execution.lines(connection, book.ledger.rules, BUDGET)
        spending = await budget_execution.lines(
            connection, book.ledger.rules, BUDGET, prefix=("expenditure",)
        )
    assert [line.title for line in found] == ["Receipts", "Programme P", None]
    assert [line.line for line in spending] == [tuple(P), tuple(Q)]
