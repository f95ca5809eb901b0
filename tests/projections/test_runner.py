"""Exactly once: a runner that dies anywhere applies a step again or not at all."""

import asyncio
import contextlib
from random import Random
from typing import Any

import pytest

from ledger.errors import NotFound, RetryLater
from ledger.store.pool import LOST
from projections import runner as running
from projections.parking import advance
from projections.rebuild import rebuild
from projections.registry import projection, sql
from projections.runner import Runner
from tests.projections.traffic import BUDGET, RECEIPTS, open_budget, post_traffic, traffic


async def test_a_runner_killed_between_and_inside_steps_applies_each_event_once(
    book: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    random, kills = Random(7), 0
    await open_budget(book)
    documents = traffic(random, book, 300)

    async def killer() -> None:
        nonlocal kills
        while True:
            await asyncio.sleep(random.random() * 0.02)
            await book.runner.stop()
            kills += 1
            book.runner = Runner(book.ledger.database, book.ledger.sequencer)
            await book.runner.start()

    monkeypatch.setattr(running, "RETRY_SECONDS", 0.01)
    task = asyncio.create_task(killer())
    await post_traffic(book, documents, chunk=10)
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await book.runner.stop()
    book.runner = Runner(book.ledger.database, book.ledger.sequencer)
    await book.runner.start()
    await book.applied()
    assert kills > 3
    for name in ("budget_execution", "audit_trail"):
        assert (await rebuild(book.ledger.database, name)).differences == ()


async def test_connections_killed_under_the_runner_lose_nothing(book: Any) -> None:
    await open_budget(book)
    documents = traffic(Random(3), book, 200)
    for start in range(0, 200, 20):
        await book.admin(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
            " current_database() AND application_name LIKE '%projector%'"
        )
        await post_traffic(book, documents[start : start + 20])
    await book.applied()
    for name in ("budget_execution", "transfers", "special_accounts", "audit_trail"):
        assert (await rebuild(book.ledger.database, name)).differences == ()


async def test_two_runners_one_leads_and_the_other_takes_over(book: Any) -> None:
    other = Runner(book.ledger.database, None)
    await other.start()
    await open_budget(book)
    position = await book.ledger.position(BUDGET)
    assert await other.wait_for(BUDGET, position) > 0
    assert (book.runner.active, other.active) == (True, False)
    await book.runner.stop()
    await post_traffic(book, traffic(Random(1), book, 20))
    assert await other.wait_for(BUDGET, await book.ledger.position(BUDGET)) > 0
    assert other.active
    await other.stop()


async def test_waiting_has_an_end(book: Any) -> None:
    await open_budget(book)
    with pytest.raises(RetryLater) as caught:
        await book.runner.wait_for(BUDGET, 10**6, timeout_seconds=0.1)
    assert caught.value.code == "not-applied-yet"
    with pytest.raises(NotFound):
        await book.runner.wait_for("KZ-2025-nope", 1)


async def test_waiting_for_any_position_returns_its_own_sequence(book: Any) -> None:
    await open_budget(book)
    for chunk in (7, 1, 30):
        await post_traffic(book, traffic(Random(chunk), book, 30), chunk=chunk)
    await book.applied()
    places = await book.admin(
        "SELECT s.position, s.sequence FROM ledger.sequences AS s"
        " INNER JOIN ledger.heads AS h USING (region, log) WHERE h.code = $1", BUDGET
    )  # fmt: skip
    assert len(places) == await book.ledger.position(BUDGET)
    found = await asyncio.gather(*(book.runner.wait_for(BUDGET, p["position"]) for p in places))
    assert found == [place["sequence"] for place in places]


async def test_a_transaction_applies_whole_steps_only(book: Any, monkeypatch: Any) -> None:
    await book.runner.stop()
    await open_budget(book)
    await post_traffic(book, traffic(Random(5), book, 60), chunk=5)
    monkeypatch.setattr("projections.parking.CHUNK_EVENTS", 7)
    ends = {row["last_sequence"] for row in await book.admin("TABLE ledger.steps")}
    reached = []
    while True:
        async with book.ledger.database.connect("projector") as connection:
            before, after, _ = await advance(connection, projection("budget_execution"))
        if before == after:
            break
        reached.append(after)
    assert len(reached) > 5
    assert set(reached) <= ends
    await book.runner.start()


async def test_sql_takes_a_step_whole_or_leaves_it_as_it_was(book: Any) -> None:
    await open_budget(book)
    await book.applied()
    await book.runner.stop()
    made = projection("budget_execution")
    asked = (made.name, None, None, 1000, *made.in_sql())

    async def take() -> tuple[bool, bool, int]:
        """Whether it was left, whether it says that it moved, and where the checkpoint stands."""
        async with book.ledger.database.connect("projector") as connection:
            row = await connection.fetchrow(sql("", "take_step"), *asked)
            stands = await connection.fetchval("SELECT sequence FROM budget_execution.checkpoint")
        return row["left"], row["after"] > row["before"], stands

    reached = (await take())[2]
    await book.accept("CreditReceipt", BUDGET, "2025-03-03", line=RECEIPTS, amount="7.00",
                      value_date="2025-03-03")  # fmt: skip
    assert await take() == (False, True, reached + 1)
    assert await take() == (False, False, reached + 1)
    assert await book.admin("SELECT 1 FROM budget_execution.sums WHERE executed = 700")
    await open_budget(book, "KZ-2025-rayon-8", region=8)  # documents are read by Python
    assert await take() == (True, True, reached + 1)
    async with book.ledger.database.connect("projector") as connection:
        assert (await advance(connection, made)).after > reached + 1
    await book.runner.start()
    assert (await rebuild(book.ledger.database, made.name)).differences == ()


async def test_readers_wait_on_after_their_connection_was_lost(book: Any) -> None:
    await open_budget(book)
    position = await book.ledger.position(BUDGET)
    sequence = await book.runner.wait_for(BUDGET, position)
    await book.admin(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname ="
        " current_database() AND application_name LIKE '%reader%'"
    )
    with contextlib.suppress(*LOST):  # who was looking when it broke is told so
        assert await book.runner.wait_for(BUDGET, position) == sequence
    assert await book.runner.wait_for(BUDGET, position) == sequence
