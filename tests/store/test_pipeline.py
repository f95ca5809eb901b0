"""The appender decides a batch while the one before is being written: only the outcome counts."""

import asyncio

import asyncpg
import pytest

from ledger.service import Ledger
from ledger.store import append
from ledger.store.attempt import Attempt
from tests.store.world import (
    BUDGETS,
    DAY,
    OBLAST,
    RAYON,
    accepted,
    assert_sound,
    pay,
    query,
    send,
    submit,
)


@pytest.fixture
def slow(monkeypatch):
    """Hold writes back until told, and let one fail where asked for; even one goes ahead."""
    gate, failing, write = asyncio.Event(), [], Attempt.write

    async def held(self):
        await gate.wait()
        if failing:
            raise failing.pop()
        await write(self)

    monkeypatch.setattr(Attempt, "write", held)
    monkeypatch.setattr(append, "AHEAD", 1)
    return gate, failing


async def in_flight(ledger: Ledger, *documents):
    """Post documents one by one, so that the first is being written while the others wait."""
    posted = []
    for document in documents:
        posted.append(asyncio.create_task(submit(ledger, document)))
        await asyncio.sleep(0.02)
    return posted


async def positions(posted):
    return [answer.position for [answer] in await asyncio.gather(*posted)]


async def test_a_batch_is_decided_on_what_is_being_written(ledger, dsn, slow):
    gate, _ = slow
    start = await ledger.position(RAYON)
    posted = await in_flight(ledger, pay(), pay(), pay())
    assert await ledger.position(RAYON) == start
    gate.set()
    assert await positions(posted) == [start + 1, start + 2, start + 3]
    await assert_sound(dsn)


@pytest.mark.parametrize("error", [
    asyncpg.SerializationError("a head has moved"), asyncpg.CheckViolationError("cash"),
    asyncpg.ConnectionDoesNotExistError("cut"), asyncpg.UniqueViolationError("events_command"),
], ids=lambda error: type(error).__name__)  # fmt: skip
async def test_what_was_decided_on_a_batch_that_failed_is_decided_again(ledger, dsn, slow, error):
    gate, failing = slow
    start = await ledger.position(RAYON)
    posted = await in_flight(ledger, pay(), pay(amount="99999999"), pay(OBLAST))
    failing.append(error)
    gate.set()
    first, refused, other = [found for [found] in await asyncio.gather(*posted)]
    assert (first.status, first.position, first.replayed) == ("accepted", start + 1, False)
    assert (refused.status, refused.position) == ("refused", start + 2)
    assert other.status == "accepted"
    assert not failing
    await assert_sound(dsn)


async def test_a_repeat_of_what_is_being_written_gets_its_answer(ledger, dsn, slow):
    gate, _ = slow
    asked = pay()
    posted = await in_flight(ledger, asked, asked, {**asked, "amount": "2.00"})
    gate.set()
    first, again, other = [found for [found] in await asyncio.gather(*posted)]
    assert (first.replayed, again.replayed) == (False, True)
    assert first.position == again.position
    assert other.code == "command-id-reused"
    rows = await query(dsn, "SELECT 1 FROM ledger.events WHERE command_id = $1", first.command_id)
    assert len(rows) == 1


async def test_a_payment_that_is_being_written_can_be_returned(ledger, dsn, slow):
    gate, _ = slow
    paid = pay(amount="5.00")
    back = {**pay(), "command": "ReturnPayment", "payment": paid["command_id"], "amount": "5.00",
            "reason": "r", "value_date": DAY}  # fmt: skip
    for name in ("line", "contract"):
        del back[name]
    more = {**back, "command_id": pay()["command_id"], "amount": "0.01"}
    posted = await in_flight(ledger, paid, back, more)
    gate.set()
    statuses = [found.status for [found] in await asyncio.gather(*posted)]
    assert statuses == ["accepted", "accepted", "refused"]
    await assert_sound(dsn)


async def test_few_commands_wait_for_what_is_being_written(ledger, slow, monkeypatch):
    gate, _ = slow
    monkeypatch.setattr(append, "AHEAD", 3)
    prepared, prepare = [], Attempt.prepare

    async def counted(self, items, reading):
        prepared.append(len(items))
        await prepare(self, items, reading)

    monkeypatch.setattr(Attempt, "prepare", counted)
    posted = await in_flight(ledger, pay(), pay(), pay())
    assert prepared == [1]
    gate.set()
    await asyncio.gather(*posted)
    assert prepared == [1, 2]


async def test_many_callers_of_all_budgets_lose_nothing(ledger, dsn):
    documents = [pay(code) for code in BUDGETS] * 12 + [send() for _ in range(40)]
    documents = [{**document, "command_id": pay()["command_id"]} for document in documents]
    answers = [found for [found] in await asyncio.gather(
        *(accepted(ledger, document) for document in documents))]  # fmt: skip
    assert len({(a.budget, a.position) for a in answers}) == len(documents)
    await assert_sound(dsn)


async def test_stopping_answers_what_is_being_written_and_what_waits(dsn, clock, slow):
    gate, _ = slow
    async with Ledger(dsn, clock=clock) as ledger:
        posted = await in_flight(ledger, pay(), pay())
        stopping = asyncio.create_task(ledger.appender.stop())
        await asyncio.sleep(0.02)
        gate.set()
        await stopping
        assert [found.status for [found] in await asyncio.gather(*posted)] == ["accepted"] * 2
