"""Acceptance 4: the British payments of April to September 2020, three times, in any order."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from tests.acceptance.book import Book, Question, assert_rebuilt_alike, assert_replayed_alike

BUDGET = "GB-2020-cabinet-office"
EXECUTION = f"budgets/{BUDGET}/execution"
ROWS, TOTAL = 2_797, Decimal("682225626.61")
YEAR_END = "2021-03-31"


@pytest.fixture(scope="module")
def files(data: Path) -> list[Path]:
    found = sorted((data / "gb-cabinet-office-spend-2020-21").glob("*.csv"))
    assert len(found) == 6
    return found


@pytest.fixture(scope="module")
async def book(new_book, files: list[Path]) -> AsyncIterator[Book]:
    """Everything in one load through HTTP."""
    async with new_book("gb", "2020-10-15") as book:
        book.noted["report"] = await book.load("gb-cabinet-office", *files, remote=True)
        yield book


async def test_every_row_is_a_payment(book: Book) -> None:
    report = book.noted["report"]
    assert (report.ok, report.accepted) == (True, ROWS + 1)
    paid = await book.events("budget.payment.executed")
    assert len(paid) == ROWS
    assert sum(event.movement().amounts["executed"] for _, event in paid) == TOTAL * 100


async def test_the_report_gives_their_sum(book: Book) -> None:
    answer = await book.ask(EXECUTION, effective=YEAR_END)
    assert sum(Decimal(row["executed"]) for row in answer["rows"]) == TOTAL
    [total] = answer["totals"]
    assert (total["line"], total["executed"]) == (["expenditure"], str(TOTAL))
    assert total["percent_of_plan"] is total["percent_of_budget"] is None
    assert answer["currency"] == "GBP"
    await book.assert_folds(BUDGET, date(2021, 3, 31))
    await book.assert_folds(BUDGET, date(2020, 6, 30))


async def test_a_month_adds_what_its_file_says(book: Book) -> None:
    months = ["2020-03-31", "2020-04-30", "2020-05-31", "2020-06-30", "2020-07-31", "2020-08-31",
              "2020-09-30"]  # fmt: skip
    sums = []
    for day in months:
        rows = await book.execution(BUDGET, effective=day, level=1)
        sums.append(sum((Decimal(row["executed"]) for row in rows.values()), Decimal(0)))
    assert sums[0] == 0
    assert sums == sorted(set(sums))
    assert sums[-1] == TOTAL


async def test_three_loads_with_files_in_any_order_change_nothing(book: Book, files) -> None:
    heads, sequence = await book.heads(), await book.applied()
    before = await book.get(EXECUTION, effective=YEAR_END)
    for seed in (1, 2, 3):
        shuffled = Random(seed).sample(files, len(files))
        again = await book.load("gb-cabinet-office", *shuffled)
        assert (again.ok, again.accepted, again.replayed) == (True, 0, ROWS + 1)
    assert (await book.heads(), await book.applied()) == (heads, sequence)
    assert await book.get(EXECUTION, effective=YEAR_END) == before


async def test_a_ledger_loaded_file_by_file_in_another_order_reports_alike(book, new_book, files):
    shuffled = Random(20_200_401).sample(files, len(files))
    assert shuffled != files
    async with new_book("gb", "2020-10-15") as other:
        for turn in range(2):
            for file in shuffled:
                report = await other.load("gb-cabinet-office", file)
                assert report.ok
                assert turn == 0 or report.accepted == 0
        for asked in ({"effective": YEAR_END}, {"effective": "2020-06-30", "level": 2},
                      {"effective": YEAR_END, "prefix": "expenditure"}):  # fmt: skip
            assert await other.get(EXECUTION, **asked) == await book.get(EXECUTION, **asked)
        assert (await other.heads())[BUDGET][1] != (await book.heads())[BUDGET][1]


async def test_a_rebuilt_projection_gives_the_same_bytes(book: Book) -> None:
    questions: list[Question] = [
        (EXECUTION, {"effective": YEAR_END}), (EXECUTION, {"effective": "2020-06-30"}),
        (EXECUTION, {"effective": YEAR_END, "known": await book.applied() - 1000}),
        (EXECUTION, {"effective": YEAR_END, "level": 2}),
        (f"budgets/{BUDGET}/warnings", {}), ("audit", {"budget": BUDGET, "limit": 1000}),
    ]  # fmt: skip
    await assert_rebuilt_alike(book, questions)


async def test_replay_gives_the_same_heads_and_cells(book: Book) -> None:
    await assert_replayed_alike(book)
