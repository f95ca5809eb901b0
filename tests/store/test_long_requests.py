"""Parts of a long request are decided in their order, and none after one that was not."""

import asyncio

import pytest

from ledger.errors import Unavailable
from ledger.store import append, waiting
from ledger.store.attempt import Attempt
from tests.store.world import (
    DAY,
    RAYON_2,
    SPENDING,
    accepted,
    ask,
    assert_sound,
    pay,
    query,
    submit,
)

PART = 8


@pytest.fixture(autouse=True)
def parts(monkeypatch):
    """Requests of more than a few commands come in parts."""
    monkeypatch.setattr(append, "BATCH", PART)
    monkeypatch.setattr(waiting, "BATCH", PART)


async def test_a_part_may_need_what_an_earlier_one_did(ledger, dsn):
    await accepted(ledger, pay(), pay(RAYON_2))  # whose regions it knows from now on
    register = ask("RegisterCommitment", contract="C2", line=SPENDING, amount="1",
                   effective_from=DAY)  # fmt: skip
    first = [*(pay() for _ in range(PART - 1)), register]
    second = [pay(RAYON_2), pay(contract="C2")]
    others, own = await asyncio.gather(
        submit(ledger, pay(RAYON_2)),  # the region of the second part waits before the first
        submit(ledger, *first, *second),
    )
    assert {answer.status for answer in [*others, *own]} == {"accepted"}
    await assert_sound(dsn)


async def test_nothing_is_decided_after_a_part_that_lost_the_database(ledger, dsn, monkeypatch):
    """The connection is lost at the second part, once, and nobody waits for it to come back."""
    documents = [pay() for _ in range(4 * PART)]
    lost, run = ledger.read(documents[PART]).command_id, Attempt.run

    async def cut(self, items, **how):
        if any(asked.command_id == lost for item in items for asked in item.commands):
            self.connection.terminate()
        await run(self, items, **how)

    monkeypatch.setattr(Attempt, "run", cut)
    monkeypatch.setattr(append, "GIVE_UP_SECONDS", 0)
    ledger.appender._rival_until = asyncio.get_running_loop().time() + 60  # decides under locks
    results = await submit(ledger, *documents)
    monkeypatch.undo()
    told = [getattr(result, "status", type(result)) for result in results]
    assert told == ["accepted"] * PART + [Unavailable] * 3 * PART
    [row] = await query(dsn, "SELECT count(*) AS n FROM ledger.events WHERE n = 0 AND "
                        "command_id = ANY ($1)", [d["command_id"] for d in documents])  # fmt: skip
    assert row["n"] == PART
    again = await accepted(ledger, *documents)
    assert [answer.replayed for answer in again] == [True] * PART + [False] * 3 * PART
    assert ledger.appender.waiting == 0
    await assert_sound(dsn)
