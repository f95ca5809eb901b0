"""Receipts for answers: facts read back from the log, one signature a batch, equal for ever."""

import asyncio

import pytest

from ledger.errors import Corrupt
from ledger.proofs.receipts import Receipt
from ledger.service import Ledger
from ledger.store.keys import Keys, Refused
from ledger.store.receipting import Receipting
from tests.store.world import (
    RAYON,
    RAYON_2,
    accepted,
    ask,
    opening,
    pay,
    query,
    send,
    submit,
    tamper,
)

ORIGIN = "ledger.example/log"


@pytest.fixture
def keys(tmp_path):
    """The log's keys, and where those of its receipts are going to be."""
    log = Keys(tmp_path / "notary.key")
    log.create(ORIGIN)
    return Keys(tmp_path / "receipts.key"), log


@pytest.fixture
def receipting(ledger, clock, keys):
    return Receipting(ledger.database, clock, *keys)


async def issued(receipting, answers):
    papers = await receipting.issue(answers)
    known = await receipting.public()
    return [Receipt.open(paper, known) for paper in papers]


async def test_accepted_and_refused_answers_name_their_stored_events(ledger, dsn, receipting):
    answers = await submit(ledger, pay(), pay(amount="99999999"), send(), pay(RAYON_2))
    found = await issued(receipting, answers)
    assert [one.answer["status"] for one in found] == ["accepted", "refused", *["accepted"] * 2]
    for one, answer in zip(found, answers, strict=True):
        envelope = one.envelope
        [row] = await query(dsn, """SELECT e.hash, sha256(e.body) AS body, e.kind, e.recorded_at
            FROM ledger.events AS e INNER JOIN ledger.heads AS h USING (region, log)
            WHERE h.code = $1 AND e.position = $2""", answer.budget, answer.position)  # fmt: skip
        assert (envelope.chain, envelope.body) == (row["hash"], row["body"])
        assert (envelope.kind, envelope.recorded_at) == (row["kind"], row["recorded_at"])
        assert (envelope.log, envelope.position) == (answer.budget, answer.position)
    limit = found[1].answer["refusal"]["limits"][0]
    assert limit["asked_minor"] > limit["available_minor"]


async def test_the_same_command_has_an_equal_answer_in_its_receipt_for_ever(
    dsn, clock, keys, ledger, receipting
):
    asked = [pay(), pay(amount="99999999"), {**pay(), "annex": {"payee_name": "Aliya"}}]
    first = await submit(ledger, *asked)
    leaves = [one.leaf for one in await issued(receipting, first)]
    again = await submit(ledger, *asked)
    assert [answer.replayed for answer in again] == [True] * 3
    assert [one.leaf for one in await issued(receipting, again)] == leaves
    async with Ledger(dsn, clock=clock) as cold:
        other = Receipting(cold.database, clock, *keys)
        answers = await submit(cold, *asked)
        assert [one.leaf for one in await issued(other, answers)] == leaves
        stored = [await cold.answer(RAYON, answer.command_id) for answer in answers]
        assert [one.leaf for one in await issued(other, stored)] == leaves


async def test_answers_that_were_not_stored_promise_no_event(ledger, receipting):
    answers = await submit(ledger, pay(), pay(amount="99999999"), atomic=True)
    answers += await submit(ledger, {**opening("KZ-2025-new-1", level=9)})
    found = await issued(receipting, answers)
    assert [one.answer["status"] for one in found] == ["withheld", "refused", "refused"]
    assert [one.envelope for one in found] == [None] * 3
    assert found[1].answer["refusal"]["code"] == "limit-exceeded"


async def test_what_is_asked_for_at_once_is_signed_once(ledger, receipting):
    answers = await submit(ledger, *(pay() for _ in range(50)))
    found = await asyncio.gather(*(receipting.issue([answer]) for answer in answers))
    notes = {paper.partition(b"\n\n")[2] for [paper] in found}
    assert len(notes) == 1
    known = await receipting.public()
    opened = [Receipt.open(paper, known) for [paper] in found]
    assert [one.answer["position"] for one in opened] == [answer.position for answer in answers]


async def test_no_answer_needs_no_receipt(receipting):
    assert await receipting.issue([]) == []


async def test_the_key_is_of_its_own_and_closed_to_others(ledger, receipting, keys):
    [answer] = await accepted(ledger, pay())
    await receipting.issue([answer])
    own, log = keys
    assert own.path.stat().st_mode & 0o777 == 0o600
    assert own.origin == f"{ORIGIN}/receipts"
    assert {key.public for key in own.public()}.isdisjoint(key.public for key in log.public())


async def test_a_rotated_key_signs_at_once_and_old_receipts_stay_valid(ledger, receipting, keys):
    [answer] = await accepted(ledger, pay())
    [old] = await receipting.issue([answer])
    newer = keys[0].rotate()
    keys[0].retire(keys[0].signers()[0].key.id.hex())
    [new] = await receipting.issue([answer])
    known = await receipting.public()
    assert Receipt.open(old, known).leaf == Receipt.open(new, known).leaf
    assert Receipt.open(new, known).keys == (newer,)


async def test_without_a_key_there_is_no_receipt_and_the_next_one_is_made(ledger, receipting, keys):
    [answer] = await accepted(ledger, pay())
    await receipting.issue([answer])
    keys[0].path.chmod(0o644)
    with pytest.raises(Refused):
        await receipting.issue([answer])
    keys[0].path.chmod(0o600)
    assert len(await receipting.issue([answer])) == 1


async def test_an_event_that_is_gone_gets_no_receipt(ledger, dsn, receipting):
    [answer] = await accepted(ledger, pay())
    await tamper(dsn, f"DELETE FROM ledger.events WHERE command_id = '{answer.command_id}'")
    with pytest.raises(Corrupt):
        await receipting.issue([answer])


async def test_two_processes_make_one_key(ledger, clock, keys):
    [answer] = await accepted(ledger, ask("CreditReceipt", line=["revenue", "1"], amount="1",
                                          value_date="2025-03-10"))  # fmt: skip
    both = [Receipting(ledger.database, clock, Keys(keys[0].path), keys[1]) for _ in range(2)]
    papers = await asyncio.gather(*(one.issue([answer]) for one in both))
    known = keys[0].public()
    assert len(known) == 1
    for [paper] in papers:
        Receipt.open(paper, known)
