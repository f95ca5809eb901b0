"""Clocks that jump, locks that others hold, pools without a connection."""

import asyncio

import asyncpg

from ledger.store import append
from tests.faults.journal import load
from tests.faults.stored import query
from tests.faults.traffic import dice, traffic
from tests.store.world import OBLAST, RAYON, Clock, pay

DAY_MICROSECONDS = 86_400_000_000
TURNS = """
SELECT count(*) AS times FROM (
    SELECT recorded_at - lag(recorded_at) OVER (
        PARTITION BY region, log ORDER BY position) AS step FROM ledger.events
) AS s WHERE step = 1
"""


class Stepping(Clock):
    """A clock that jumps a day to and fro."""

    def __init__(self, chance) -> None:
        super().__init__()
        self.chance, self.steps_back, self.ahead = chance, 0, 0

    def __call__(self) -> int:
        if self.chance.random() < 0.3:
            step = self.chance.choice((-1, 1)) if abs(self.ahead) < 2 else (-1, 1)[self.ahead < 0]
            self.ahead += step
            self.now += step * DAY_MICROSECONDS
            self.steps_back += step < 0
        return super().__call__()


async def test_a_clock_that_jumps_a_day_back_and_forth_keeps_the_order(dsn, open_judged):
    clock, chance = Stepping(dice("clock")), dice("clock traffic")
    async with open_judged(clock=clock) as run:
        documents = [one for _, one in zip(range(150), traffic(chance), strict=False)]
        await load(run.client, documents, workers=4)
        turns = (await query(dsn, TURNS))[0]["times"]
        assert turns > 10  # events that were recorded while the clock was behind
        await run.judge(clock.steps_back)


async def test_a_head_that_somebody_locks_for_long_is_an_unknown_that_a_retry_settles(
    dsn, open_judged, monkeypatch
):
    monkeypatch.setattr(append, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(append, "GIVE_UP_SECONDS", 0.2)
    async with open_judged() as run:
        await run.client.ask(pay())
        run.ledger.appender._disconnect()  # the next connection waits for answers only so long
        holder = await asyncpg.connect(dsn)
        await holder.execute("BEGIN")
        await holder.execute(f"SELECT 1 FROM ledger.heads WHERE code = '{RAYON}' FOR UPDATE")
        async with asyncio.timeout(30):
            [held] = await run.client.ask(pay())
        await holder.execute("ROLLBACK")
        await holder.close()
        assert held.outcome in ("unknown", "untaken")
        await run.judge(fired=run.client.count("unknown", "untaken"))


async def test_a_head_that_somebody_locks_for_a_while_is_waited_for(dsn, open_judged):
    async with open_judged() as run:
        await run.client.ask(pay())
        holder = await asyncpg.connect(dsn)
        await holder.execute("BEGIN")
        await holder.execute(f"SELECT 1 FROM ledger.heads WHERE code = '{RAYON}' FOR UPDATE")
        waiting = asyncio.create_task(load(run.client, [pay(), pay(OBLAST), pay()], workers=3))
        async with asyncio.timeout(30):
            while not await holder.fetchval(  # noqa: ASYNC110 - the database
                "SELECT count(*) FROM pg_locks AS l INNER JOIN pg_stat_activity AS a USING (pid) "
                "WHERE NOT l.granted AND a.datname = current_database()"
            ):
                await asyncio.sleep(0.02)
        await holder.execute("ROLLBACK")
        await holder.close()
        await waiting
        assert run.client.count("acked") == 4
        await run.judge(fired=1)


async def test_postings_need_no_connection_of_the_exhausted_pools(open_judged):
    async with open_judged() as run:
        taken = [await run.ledger.database._pools["reader"].acquire() for _ in range(8)]
        taken += [await run.ledger.database._pools["writer"].acquire() for _ in range(4)]
        reading = asyncio.create_task(run.ledger.position(RAYON))
        async with asyncio.timeout(30):
            await load(run.client, [pay() for _ in range(20)])
        assert not reading.done()
        assert run.client.count("acked") == 20
        for one, role in zip(taken, ["reader"] * 8 + ["writer"] * 4, strict=True):
            await run.ledger.database._pools[role].release(one)
        assert await reading > 0
        await run.judge(len(taken))
