"""The same command many times at once, other content under its id, three processes at once."""

import asyncio
import json
import sys

from tests.faults.journal import Entry, load
from tests.faults.traffic import SEED, dice, traffic
from tests.store.world import OBLAST, RAYON, ROOT, pay, send

PROCESSES, COMMANDS = 3, 110


async def test_the_same_command_fifty_times_at_once_is_stored_once(open_judged):
    async with open_judged() as run:
        for asked in (pay(), send(), pay(amount="99000000.00")):
            heard = await asyncio.gather(*(run.client.ask(asked) for _ in range(50)))
            assert len({one.position for (one,) in heard}) == 1
            assert sum(not one.replayed for (one,) in heard) == 1
        await run.judge(fired=3 * 49)


async def test_the_same_command_fifty_times_at_once_over_http_is_stored_once(served):
    for asked in (pay(), send()):
        heard = await asyncio.gather(*(served.client.ask(asked) for _ in range(50)))
        assert len({one.position for (one,) in heard}) == 1
        served.fired += 49
    await served.judge()


async def test_two_bodies_under_one_id_are_one_command_and_a_refusal_of_the_other(open_judged):
    async with open_judged() as run:
        for first in (pay(), send(OBLAST, RAYON), pay(amount="99000000.00")):
            second = {**first, "amount": "2.00"}
            heard = await asyncio.gather(*(run.client.ask(each) for _ in range(10)
                                           for each in (first, second)))  # fmt: skip
            outcomes = [one.outcome for (one,) in heard]
            assert outcomes.count("reused") == 10
            assert len({one.position for (one,) in heard if one.position}) == 1
        await run.judge(fired=30)


async def test_three_processes_with_transfers_and_repeated_ids_lose_nothing(dsn, open_judged):
    async with open_judged() as run:
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.faults.writer", dsn, str(number), str(COMMANDS),
                cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
            for number in range(PROCESSES)
        ]  # fmt: skip
        mine = asyncio.create_task(load(run.client, _some(traffic(dice("own")), 60)))
        journals = []
        for process in processes:
            out, err = await process.communicate()
            assert process.returncode == 0, err.decode()
            journals.append([Entry(**json.loads(line)) for line in out.splitlines()])
        await mine
        told = [one for journal in journals for one in journal]
        assert len(told) == PROCESSES * COMMANDS
        repeats = len(told) - len({one.command_id for one in told})
        transfers = sum(one.document["command"] == "SendTransfer" for one in told)
        assert transfers > len(told) / 20, SEED
        assert sum(bool(one.replayed) for one in told) == repeats
        await run.judge(repeats, *journals)


def _some(documents, count):
    return [one for _, one in zip(range(count), documents, strict=False)]
