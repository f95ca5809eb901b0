"""Acceptance 2: Almaty oblast 2025 in three redactions, each in force from 1 January."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from tests.acceptance.book import (
    Book,
    Question,
    assert_rebuilt_alike,
    assert_replayed_alike,
    thousand,
)

REPUBLIC, OBLAST = "KZ-2025-republic", "KZ-2025-oblast-19"
SAID = [
    ("2025-03-05", 809_767_084, 0),
    ("2025-06-05", 832_575_196, -20_300_000),
    ("2025-07-31", 846_696_624, -10_179_395),
]
"""Day of adoption, revenue, and the oblast's subvention less the republic's (thousand tenge)."""


@pytest.fixture(scope="module")
async def book(new_book) -> AsyncIterator[Book]:
    """The oblast is loaded before the republic and after it again: the order is free."""
    async with new_book("kz", "2025-08-04") as book:
        book.noted["reports"] = [await book.load(name) for name in (
            "kz-almaty-oblast-2025", "kz-republic-2025", "kz-almaty-oblast-2025")]  # fmt: skip
        yield book


async def test_the_loads_are_accepted_and_the_second_changes_nothing(book: Book) -> None:
    reports = book.noted["reports"]
    assert [report.ok for report in reports] == [True] * 3
    assert (reports[2].accepted, reports[2].replayed) == (0, reports[0].accepted)


@pytest.mark.parametrize(("adopted", "revenue", "_gap"), SAID)
async def test_revenue_is_what_acts_adopted_by_the_day_say(book, adopted, revenue, _gap) -> None:
    asked = {"effective": "2025-01-01", "adopted": adopted, "level": 1}
    rows = await book.execution(OBLAST, **asked)
    assert thousand(rows["revenue",]["amended"]) == revenue
    assert thousand(rows["revenue",]["adjusted"]) == revenue
    assert thousand(rows["revenue",]["approved"]) == 809_767_084
    await book.assert_folds(OBLAST, date(2025, 1, 1), adopted=date.fromisoformat(adopted))


async def test_a_day_between_two_acts_knows_the_first_only(book: Book) -> None:
    for adopted, revenue in (("2024-12-17", 0), ("2025-06-04", 809_767_084),
                             ("2025-07-30", 832_575_196)):  # fmt: skip
        rows = await book.execution(OBLAST, effective="2025-01-01", adopted=adopted, level=1)
        assert sum(thousand(row["amended"]) for line, row in rows.items()
                   if line == ("revenue",)) == revenue  # fmt: skip


@pytest.mark.parametrize(("adopted", "_revenue", "gap"), SAID)
async def test_the_pairing_shows_both_acts_and_their_difference(book, adopted, _revenue, gap):
    for budget in (OBLAST, REPUBLIC):
        found = await book.ask(f"budgets/{budget}/transfers", adopted=adopted)
        [pair] = [pair for pair in found["pairs"] if pair["transfer"] == "subvention"
                  and (pair["payer"], pair["receiver"]) == (REPUBLIC, OBLAST)]  # fmt: skip
        assert thousand(pair["difference"]) == gap
        assert thousand(pair["payer_says"]["amount"]) == 203_587_891
        assert thousand(pair["receiver_says"]["amount"]) == 203_587_891 + gap
        assert (pair["sent"], pair["received"]) == ("0.00", "0.00")


async def test_without_a_day_of_adoption_the_last_act_speaks(book: Book) -> None:
    rows = await book.execution(OBLAST, effective="2025-01-01", level=1)
    assert thousand(rows["revenue",]["amended"]) == SAID[-1][1]
    whole = await book.ask(f"budgets/{OBLAST}/execution", effective="2025-01-01")
    parts = {row["part"]: thousand(row["amended"]) for row in whole["identity"]}
    assert parts["V"] == -31_159_022
    assert parts["I"] - parts["II"] - parts["III"] - parts["IV"] == parts["V"]


async def test_a_rebuilt_projection_gives_the_same_bytes(book: Book) -> None:
    questions: list[Question] = [
        (f"budgets/{budget}/{report}", {"adopted": adopted, **more})
        for adopted, *_ in SAID for budget in (OBLAST, REPUBLIC)
        for report, more in (("transfers", {}), ("execution", {"effective": "2025-01-01"}))
    ]  # fmt: skip
    known = await book.applied() // 2
    questions.append((f"budgets/{OBLAST}/execution", {"known": known, "effective": "2025-01-01"}))
    questions.append((f"budgets/{OBLAST}/transfers", {"known": known}))
    await assert_rebuilt_alike(book, questions)


async def test_replay_gives_the_same_heads_and_cells(book: Book) -> None:
    await assert_replayed_alike(book)
