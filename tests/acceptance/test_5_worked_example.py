"""The worked example E2 posted to two fresh ledgers: the same state and the same hashes."""

from collections.abc import AsyncIterator
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid5

import pytest

from tests.acceptance.book import (
    Book,
    Question,
    assert_rebuilt_alike,
    assert_replayed_alike,
    stored_cells,
    thousand,
)
from tests.projections.example import BUDGET, P, Q, post_example

EXECUTION = f"budgets/{BUDGET}/execution"
SPACE = UUID("0199a000-0000-7000-8000-0000000000e2")
QUESTIONS: list[Question] = [
    *((EXECUTION, {"effective": day}) for day in ("2025-02-01", "2025-03-31", "2025-07-01")),
    *((EXECUTION, {"effective": "2025-02-01", "known": known})
      for known in ("2025-04-01", "2025-04-10")),
    (EXECUTION, {"effective": "2025-07-01", "adopted": "2025-04-09"}),
    (f"budgets/{BUDGET}/exempt", {"effective": "2025-07-01"}), ("rulebook", {}),
    ("audit", {"budget": BUDGET, "limit": 1000}), ("events", {"budget": BUDGET, "limit": 1000}),
]  # fmt: skip


class Teller:
    """Posts the example's commands over HTTP, with ids that are the same in every ledger."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.numbers = count(1)
        self.sent: list[tuple[dict[str, Any], int]] = []

    async def post(self, command: str, budget: str, day: str, **fields: Any) -> Any:
        self.book.clock.set(day)
        capacity = fields.pop("capacity", "treasury")
        command_id = str(uuid5(SPACE, str(next(self.numbers))))
        document = {"command": command, "command_id": command_id, "budget": budget,
                    "actor": {"id": "u1", "capacity": capacity},
                    "act": {"id": f"act of {day}", "date": day}, **fields}  # fmt: skip
        answer = await self.book.post(document)
        self.sent.append((document, answer.status_code))
        return SimpleNamespace(command_id=command_id)


async def told(new_book: Any) -> AsyncIterator[Book]:
    async with new_book("kz", "2024-12-01") as book:
        teller = Teller(book)
        await post_example(teller)
        book.noted["sent"] = teller.sent
        yield book


@pytest.fixture(scope="module")
async def one(new_book) -> AsyncIterator[Book]:
    async for book in told(new_book):
        yield book


@pytest.fixture(scope="module")
async def other(new_book) -> AsyncIterator[Book]:
    async for book in told(new_book):
        yield book


async def test_events_1_to_9_are_accepted_and_10_and_11_refused(one: Book) -> None:
    assert [status for _, status in one.noted["sent"]] == [201] * 10 + [409] * 2
    refused = await one.events("ledger.command.refused")
    assert [event.refusal.code for _, event in refused] == ["limit-exceeded", "registration-closed"]


async def test_figures_are_the_expected_ones(one: Book) -> None:
    rows = await one.execution(BUDGET, effective="2025-07-01")
    names = ("approved", "amended", "adjusted", "plan_payments", "plan_payments_year",
             "plan_commitments", "accepted", "unpaid", "executed")  # fmt: skip
    assert [thousand(rows[tuple(P)][name]) for name in names] == [
        1000, 1200, 1140, 950, 1140, 1140, 600, 420, 180]  # fmt: skip
    assert rows[tuple(P)]["percent_of_plan"] == "18.9"
    assert [thousand(rows[tuple(Q)][name]) for name in names[:3]] == [1000, 1100, 1100]


async def test_two_ledgers_have_the_same_hashes_events_and_cells(one: Book, other: Book) -> None:
    assert one.parts.dsn != other.parts.dsn
    assert await one.heads() == await other.heads()
    assert (await one.heads())[BUDGET][0] > 20
    assert await one.bodies() == await other.bodies()
    codes = (await one.heads()).keys()
    assert await stored_cells(one, codes) == await stored_cells(other, codes)


async def test_two_ledgers_answer_every_question_alike(one: Book, other: Book) -> None:
    for path, asked in QUESTIONS:
        assert await one.get(path, **asked) == await other.get(path, **asked), (path, asked)


async def test_posting_all_again_replays_every_answer(one: Book) -> None:
    heads = await one.heads()
    for document, status in one.noted["sent"]:
        answer = await one.post(document)
        assert answer.status_code == (200 if status == 201 else status)
        assert answer.json()["replayed"] is True
    assert await one.heads() == heads


async def test_a_rebuilt_projection_gives_the_same_bytes(one: Book) -> None:
    await assert_rebuilt_alike(one, QUESTIONS)


async def test_replay_gives_the_same_heads_and_cells(one: Book) -> None:
    await assert_replayed_alike(one)
