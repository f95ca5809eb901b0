"""Acceptance 3: the Armenian law of 2024 and its quarters, subprogramme by subprogramme."""

import csv
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.book import (
    Book,
    Question,
    assert_rebuilt_alike,
    assert_replayed_alike,
    thousand,
)

BUDGET = "AM-2024-state"
EXECUTION = f"budgets/{BUDGET}/execution"
COLUMNS = {
    "approved": "annual_plan", "adjusted": "rev_annual_plan",
    "plan_payments": "rev_period_plan", "executed": "actual",
}  # fmt: skip
"""Our measures and the columns of the published tables."""
NEW_YEAR, MARCH, JUNE = "2024-01-01", "2024-03-31", "2024-06-30"
TOTALS = {MARCH: {"approved": "3206517499.6", "adjusted": "3204741408.3",
                  "executed": "525873828.4"},
          JUNE: {"approved": "3206517499.6", "adjusted": "3207076336.7",
                 "executed": "1232737919.2"}}  # fmt: skip


@pytest.fixture(scope="module")
def files(data: Path) -> list[Path]:
    names = ("BUDGET_LAW", "SPENDING_Q1", "SPENDING_Q12")
    return [data / "am-state-budget-2024" / f"2024_{name}.csv" for name in names]


@pytest.fixture(scope="module")
async def book(new_book, files: list[Path]) -> AsyncIterator[Book]:
    """Each table is loaded after its period; what was known in between is kept."""
    async with new_book("am", "2024-01-02") as book:
        reports, sequences, answers = [], [], {}
        for file, day, asked in zip(files, ("2024-01-02", "2024-04-25", "2024-07-25"),
                                    (NEW_YEAR, MARCH, JUNE), strict=True):  # fmt: skip
            book.clock.set(day)
            reports.append(await book.load("am-2024", file))
            sequences.append(await book.applied())
            answers[asked] = await book.ask(EXECUTION, effective=asked)
        book.noted = {"reports": reports, "sequences": sequences, "answers": answers}
        yield book


def published(path: Path) -> dict[tuple[str, ...], dict[str, Decimal]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {
            ("expenditure", row["program_code"], row["subprogram_code"]): {
                ours: Decimal(row[f"subprogram_{theirs}"]) for ours, theirs in COLUMNS.items()
            }
            for row in csv.DictReader(file)
        }


def shown(rows: dict) -> dict[tuple[str, ...], dict[str, Decimal]]:
    """The four columns of the lines that have any figure, in thousands."""
    found = {line: {name: thousand(row[name]) for name in COLUMNS} for line, row in rows.items()}
    return {line: figures for line, figures in found.items() if any(figures.values())}


def printed(path: Path) -> dict[tuple[str, ...], dict[str, Decimal]]:
    """The published lines that have any figure."""
    return {line: figures for line, figures in published(path).items() if any(figures.values())}


def by_line(answer: dict) -> dict[tuple[str, ...], dict]:
    return {tuple(row["line"]): row for row in answer["rows"]}


async def test_every_load_is_accepted_and_all_controls_hold(book: Book) -> None:
    for report in book.noted["reports"]:
        assert (report.ok, report.refused, report.bad_rows) == (True, [], [])
        assert report.replayed in (0, 1)  # the opening of the budget, in each later load


async def test_the_laws_total_is_exact(book: Book) -> None:
    rows = by_line(book.noted["answers"][NEW_YEAR])
    assert len(rows) == 857
    assert sum(thousand(row["approved"]) for row in rows.values()) == Decimal("3206517499.6")


@pytest.mark.parametrize(("place", "day"), [(1, MARCH), (2, JUNE)])
async def test_after_each_quarter_the_report_is_the_published_table(book, files, place, day):
    assert shown(by_line(book.noted["answers"][day])) == printed(files[place])


@pytest.mark.parametrize(("place", "day"), [(1, MARCH), (2, JUNE)])
async def test_sums_are_the_published_ones(book: Book, files, place: int, day: str) -> None:
    answer = book.noted["answers"][day]
    [total] = [row for row in answer["totals"] if row["line"] == ["expenditure"]]
    for name in COLUMNS:
        rows = sum(thousand(row[name]) for row in answer["rows"])
        assert rows == thousand(total[name])
        assert rows == sum(figures[name] for figures in published(files[place]).values())
    for name, text in TOTALS[day].items():
        assert thousand(total[name]) == Decimal(text)


async def test_the_earlier_quarter_is_exact_when_asked_for_its_date(book: Book, files) -> None:
    now = await book.execution(BUDGET, effective=MARCH)
    assert shown(now) == printed(files[1])
    then = by_line(book.noted["answers"][MARCH])
    year = {"plan_payments_year"}  # the later report dates its plan of the second quarter to June
    for line, row in then.items():
        assert {name: now[line][name] for name in row.keys() - year} == {
            name: row[name] for name in row.keys() - year
        }


@pytest.mark.parametrize("effective", [MARCH, JUNE])
async def test_the_earlier_quarter_is_exact_as_known_before_the_later(book, files, effective):
    before = book.noted["sequences"][1]
    for known in (str(before), "2024-07-24", "2024-04-25T23:59:59+05:00"):
        rows = await book.execution(BUDGET, effective=effective, known=known)
        assert shown(rows) == printed(files[1])
    asked = await book.ask(EXECUTION, effective=MARCH, known=before)
    kept = book.noted["answers"][MARCH]
    assert {**asked, "known": None} == kept


async def test_only_the_law_is_known_before_the_first_report(book: Book) -> None:
    before = book.noted["sequences"][0]
    rows = await book.execution(BUDGET, effective=JUNE, known=before)
    law = by_line(book.noted["answers"][NEW_YEAR])
    assert rows.keys() == law.keys()
    assert {(row["executed"], row["plan_payments"]) for row in rows.values()} == {("0.00", "0.00")}
    assert all(rows[line]["adjusted"] == law[line]["approved"] for line in law)


async def test_live_and_known_say_the_same(book: Book) -> None:
    last = await book.applied()
    for effective in (NEW_YEAR, MARCH, JUNE, "2024-12-31"):
        live = await book.ask(EXECUTION, effective=effective)
        known = await book.ask(EXECUTION, effective=effective, known=last)
        assert {**known, "known": None} == live


async def test_the_report_is_the_sum_of_the_events(book: Book) -> None:
    await book.assert_folds(BUDGET, date(2024, 3, 31))
    await book.assert_folds(BUDGET, date(2024, 6, 30))
    await book.assert_folds(BUDGET, date(2024, 6, 30), known=book.noted["sequences"][1])


async def test_loading_all_again_in_any_order_changes_nothing(book: Book, files) -> None:
    heads, sequence = await book.heads(), await book.applied()
    again = await book.load("am-2024", *reversed(files))
    assert (again.ok, again.accepted, again.replayed) == (True, 0, again.commands)
    assert (await book.heads(), await book.applied()) == (heads, sequence)


async def test_a_rebuilt_projection_gives_the_same_bytes(book: Book) -> None:
    law, first, half = book.noted["sequences"]
    questions: list[Question] = [
        *((EXECUTION, {"effective": day}) for day in (NEW_YEAR, MARCH, JUNE, "2024-12-31")),
        *((EXECUTION, {"effective": JUNE, "known": known}) for known in (law, first, half)),
        (EXECUTION, {"effective": JUNE, "adopted": MARCH}),
        (EXECUTION, {"effective": JUNE, "level": 2}),
        ("audit", {"budget": BUDGET}),
    ]  # fmt: skip
    await assert_rebuilt_alike(book, questions)


async def test_replay_gives_the_same_heads_and_cells(book: Book) -> None:
    await assert_replayed_alike(book)


async def test_a_quarter_before_a_loaded_one_is_refused(new_book, files: list[Path]) -> None:
    law, first, half = files
    async with new_book("am", "2024-07-25") as book:
        alone = await book.load("am-2024", half)
        assert ["load its law first" in bad.reason for bad in alone.bad_rows] == [True]
        assert (await book.load("am-2024", law, half)).ok
        heads = await book.heads()
        report = await book.load("am-2024", first)
        [bad] = report.bad_rows
        assert (bad.file, bad.line) == ("2024_SPENDING_Q1.csv", 0)
        assert "already holds a later period" in bad.reason
        assert await book.heads() == heads
