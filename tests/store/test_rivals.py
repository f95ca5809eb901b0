"""Several writers on the same budgets at once: the law of nothing lost."""

import asyncio
import json
import sys

import pytest

from ledger.service import Ledger
from tests.store.test_faults import stored
from tests.store.test_sequencer import assert_sequenced
from tests.store.world import (
    BUDGETS,
    DAY,
    OBLAST,
    RAYON,
    REPUBLIC,
    ROOT,
    SPENDING,
    accepted,
    ask,
    assert_no_limit_broken_at_any_prefix,
    assert_sound,
    pay,
    query,
    send,
    sequenced,
    submit,
)

SMALL = "20"
"""Room of the contract that all writers compete for, in tenge; each payment takes one."""


async def add_contracts(ledger):
    await accepted(ledger, *(
        ask("RegisterCommitment", code, contract="SMALL", line=SPENDING, amount=SMALL,
            effective_from=DAY) for code in BUDGETS
    ))  # fmt: skip


async def test_two_ledgers_on_the_same_budgets(dsn, clock):
    async with Ledger(dsn, clock=clock) as one, Ledger(dsn, clock=clock) as two:
        await add_contracts(one)
        asked = [pay(contract="SMALL") for _ in range(30)] + [send(OBLAST, RAYON), send()] * 10
        answers = await asyncio.gather(*(
            submit(ledger, document) for document in asked for ledger in (one, two)
        ))  # fmt: skip
        statuses = [answer.status for (answer,) in answers]
        paid = {a.command_id for (a,) in answers if a.status == "accepted"}
        assert statuses.count("accepted") == 2 * 20 + 2 * 20
        assert len(paid) == 22
        await sequenced(one)
    assert await stored(dsn, *asked) == [1] * len(asked)
    await assert_no_limit_broken_at_any_prefix(dsn)
    await assert_sequenced(dsn)
    await assert_sound(dsn)


async def test_three_processes_on_the_same_budgets(dsn, clock):
    async with Ledger(dsn, clock=clock) as ledger:
        await add_contracts(ledger)
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.store.writer", dsn, str(number), cwd=ROOT,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
            for number in range(3)
        ]  # fmt: skip
        journals = []
        for process in processes:
            out, err = await process.communicate()
            assert process.returncode == 0, err.decode()
            journals.append([json.loads(line) for line in out.splitlines()])
        await sequenced(ledger)
    answers = {}
    for command_id, status, replayed, budget, position in (a for j in journals for a in j):
        assert status in ("accepted", "refused"), (command_id, status)
        answers.setdefault(command_id, []).append((status, budget, position, replayed))
    assert len(answers) == 60 + 3 * 140
    for found in answers.values():
        assert len({answer[:3] for answer in found}) == 1
        assert sum(not answer[3] for answer in found) == 1
    places = {answers_[0][1:3] for answers_ in answers.values()}
    assert len(places) == len(answers)
    rows = await query(dsn, "SELECT e.command_id::text, e.position, h.code FROM ledger.events AS e "
                       "INNER JOIN ledger.heads AS h USING (region, log)")  # fmt: skip
    there = {(row["command_id"], row["code"], row["position"]) for row in rows}
    assert all((command_id, found[0][1], found[0][2]) in there
               for command_id, found in answers.items())  # fmt: skip
    assert "refused" in {found[0][0] for found in answers.values()}
    await assert_no_limit_broken_at_any_prefix(dsn)
    await assert_sequenced(dsn)
    await assert_sound(dsn)


@pytest.mark.parametrize("first", [REPUBLIC, OBLAST])
async def test_writers_that_lock_the_same_heads_in_turn_do_not_block_each_other_for_good(
    dsn, clock, first
):
    async with Ledger(dsn, clock=clock) as one, Ledger(dsn, clock=clock) as two:
        async with asyncio.timeout(60):
            for _ in range(10):
                await asyncio.gather(
                    accepted(one, send(REPUBLIC, OBLAST), pay(RAYON)),
                    accepted(two, pay(RAYON), send(OBLAST, RAYON), pay(first)))  # fmt: skip
    await assert_sound(dsn)
