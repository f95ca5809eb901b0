"""Two sequencers and two projectors by mistake: everything is still sequenced and applied once."""

import asyncio
from contextvars import ContextVar

import pytest

from ledger.service import Ledger
from ledger.store import leader
from ledger.store.sequencer import Sequencer
from projections import runner
from projections.runner import Runner
from tests.faults.journal import InProcess, load
from tests.faults.stored import query, sequenced
from tests.faults.traffic import dice, traffic

LOCK_FOR_ALL = [
    "CREATE SCHEMA broken",
    """CREATE FUNCTION broken.pg_try_advisory_lock(bigint) RETURNS boolean
    LANGUAGE sql AS 'SELECT true'""",
    "GRANT USAGE ON SCHEMA broken TO PUBLIC",
    """DO $$ BEGIN EXECUTE format(
        'ALTER DATABASE %I SET search_path = broken, pg_catalog, public', current_database()
    ); END $$""",
]
"""Every session of the database is told that it has the lock."""
LEADER = ContextVar("LEADER", default="first")
ENOUGH = 8
"""Steps of each of the two."""
END_LEASES = """
SELECT count(pg_terminate_backend(pid)) AS ended FROM pg_locks
WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = ANY ($1::oid[])
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def until(condition) -> None:
    """Wait for what must come."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - asked of others
            await asyncio.sleep(0.01)


async def test_two_services_on_one_database_take_turns_and_lose_nothing(open_judged, nursery):
    async with open_judged() as run:
        await nursery.start()
        stop, mine = asyncio.Event(), traffic(dice("this process"))
        work = asyncio.gather(
            load(run.client, mine, stop, workers=2),
            load(nursery.client, traffic(dice("the other process")), stop, workers=2),
        )
        await nursery.client.reached(20)
        leases = [Sequencer.lease, runner.LEASE]
        ended = (await query(run.dsn, END_LEASES, leases))[0]["ended"]
        assert ended == 2  # one process leads each; whichever comes first leads from now on
        await nursery.client.reached(nursery.client.count("acked") + 20)
        nursery.arm("append: written")
        await nursery.died()
        await run.client.reached(run.client.count("acked") + 20)
        stop.set()
        await work
        await run.judge(ended + nursery.fired, nursery.client.journal)


@pytest.fixture
def stepping(monkeypatch):
    """Count the steps that each projector has applied."""
    steps, advance = {}, runner.advance

    async def counted(connection, made, **named):
        step = await advance(connection, made, **named)
        if step.after > step.before:
            steps[LEADER.get()] = steps.get(LEADER.get(), 0) + 1
        return step

    monkeypatch.setattr(runner, "advance", counted)
    return steps


async def test_two_that_both_believe_to_lead_sequence_and_apply_everything_once(
    dsn, clock, open_judged, stepping, monkeypatch
):
    for statement in LOCK_FOR_ALL:
        await query(dsn, statement)
    async with open_judged() as run:
        await until(lambda: run.ledger.sequencer.last_sequence > 0 and run.runner.active)
        monkeypatch.setattr(leader, "RETRY_SECONDS", 0.02)
        async with Ledger(dsn, clock=clock) as rival:
            twin = Runner(rival.database, rival.sequencer)
            LEADER.set("twin")  # the tasks that it starts inherit the name
            await twin.start()
            await until(lambda: rival.sequencer.last_sequence > 0 and twin.active)
            asked = []
            for one in (run.ledger, rival):
                one.sequencer.clock = lambda one=one: asked.append(one) or clock()
            client, stop = InProcess(rival), asyncio.Event()
            work = asyncio.gather(*(
                load(one, traffic(dice(name)), stop, workers=3)
                for name, one in (("one", run.client), ("twin", client))
            ))  # fmt: skip
            await until(lambda: min(map(asked.count, (run.ledger, rival))) > ENOUGH)
            await until(lambda: len(stepping) == 2 and min(stepping.values()) > ENOUGH)
            stop.set()
            await work
            await sequenced(dsn)
            await twin.stop()
        await run.judge(min(stepping.values()), client.journal)
