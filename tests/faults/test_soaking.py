"""What a soak and the crash cycles count: every harm is seen, every kind of fault has its turn."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.faults.crash_cycles import HARMS, harms
from tests.faults.kinds import KINDS
from tests.faults.soak import FAULTS_A_ROUND, drawn
from tests.faults.stored import Stored, stored
from tests.store.world import pay, send

WRONG = {
    "lost": lambda rows, transfer: [
        replace(row, command_id="another") if row.command_id != transfer and row is rows[-1]
        else row for row in rows
    ],
    "gaps": lambda rows, _: [*rows[:-1], replace(rows[-1], position=rows[-1].position + 1)],
    "chain_breaks": lambda rows, _: [*rows[:-1], replace(rows[-1], hash=b"other")],
    "half_transfers": lambda rows, transfer: [
        row for row in rows if row.command_id != transfer or row.asked is not None
    ],
}  # fmt: skip


@pytest.mark.parametrize("harm", HARMS)
async def test_the_crash_cycles_see_each_harm(open_judged, harm):
    async with open_judged() as run:
        [sent] = await run.client.ask(send())
        await run.client.ask(pay("KZ-2025-rayon-2"))  # the last row of all
        log = await stored(run.dsn)
    assert harms(log, run.client.journal).total() == 0
    told = run.client.journal if harm == "lost" else []
    wrong = Stored(WRONG[harm](log.rows, sent.command_id))
    assert harms(wrong, told)[harm] == 1


def test_every_kind_of_fault_comes_before_one_comes_again():
    rounds = -(-len(KINDS) // FAULTS_A_ROUND)
    names = [name for number in range(1, rounds + 1) for name in drawn(number)]
    assert Counter(names[: len(KINDS)]) == Counter([*KINDS])
