"""The law itself: it is silent about what is true and refuses every lie of a journal."""

import uuid
from dataclasses import replace

import pytest

from tests.faults.journal import InProcess, entry
from tests.faults.nothing_lost import nothing_lost
from tests.faults.stored import Stored
from tests.store.world import pay, send, tamper


def _other(one, **changed):
    document = {**one.document, **changed}
    return replace(entry(document, one.outcome), position=one.position, replayed=one.replayed)


LIES = {
    "'lost'": lambda good, _: [replace(good, position=good.position + 1000)],
    "command stands": lambda good, _: [_other(good, command_id=str(uuid.uuid4()))],
    "other bytes": lambda good, _: [_other(good, amount="3.00")],
    "another verdict": lambda _, bad: [replace(bad, outcome="acked", code=None)],
    "new": lambda good, _: [good, good],
    "never told": lambda good, _: [replace(good, outcome="untaken")],
    "'stored', 0": lambda good, _: [good, entry(pay(), "reused")],
    "the fault never fired": lambda good, _: [good],
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_journal_that_is_not_true_is_refused(open_judged, lie):
    async with open_judged() as run:
        await run.client.ask(pay(), send())
        [good], [bad] = await run.client.ask(pay()), await run.client.ask(pay(amount="99000000.00"))
        told = run.client.journal[:2]
        kept = [one for one in (good, bad) if LIES[lie](good, bad)[0].command_id != one.command_id]
        with pytest.raises(AssertionError, match=lie):
            await nothing_lost(
                run.dsn, told + kept + LIES[lie](good, bad), retry=InProcess(run.ledger).ask,
                fired=int(lie != "the fault never fired"), earlier=run.earlier)  # fmt: skip
        await run.judge(fired=1)


async def test_an_unknown_command_is_asked_again_and_its_answer_is_judged(open_judged):
    async with open_judged() as run:
        await run.client.ask(pay())
        run.client.journal = [replace(one, outcome="unknown", position=None, replayed=None)
                              for one in run.client.journal]  # fmt: skip
        run.client.journal.append(entry(send(), "untaken"))
        assert (await run.judge(fired=1)).outcomes["acked"] == 2


async def test_a_history_that_was_written_anew_does_not_extend_the_former(open_judged):
    async with open_judged() as run:
        row = run.earlier.rows[-1]
        rows = [replace(row, hash=b"other"), *run.earlier.rows[:-1]]
        run.earlier = Stored(sorted(rows, key=lambda one: (one.code, one.position)))
        with pytest.raises(AssertionError, match=row.code):
            await run.judge(fired=1)


async def test_a_half_stored_transfer_is_refused(open_judged):
    async with open_judged() as run:
        [asked] = await run.client.ask(send())
        await tamper(run.dsn, "DELETE FROM ledger.events WHERE peer_log IS NOT NULL AND "
                     f"command_id = '{asked.command_id}' AND region = 1")  # fmt: skip
        with pytest.raises(AssertionError):
            await run.judge(fired=1)
