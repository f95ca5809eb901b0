"""The sequencer: gapless places, whole transactions, both halves of a transfer in one step."""

import asyncio

import asyncpg
import pytest

from ledger.events import log_id
from ledger.service import Ledger
from ledger.store.sequencer import Sequencer
from ledger.store.sql import sql
from tests.store.world import (
    BUDGETS,
    OBLAST,
    RAYON,
    REPUBLIC,
    accepted,
    assert_sound,
    pay,
    query,
    send,
    sequenced,
    tamper,
)

LEADERS = """
SELECT count(*) AS n FROM pg_locks
WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.fixture
async def quiet(ledger):
    """A ledger whose sequencer stands still after it has caught up."""
    await sequenced(ledger)
    await ledger.sequencer.stop()
    return ledger


async def step(dsn, now=0) -> int:
    rows = await query(dsn, "SELECT ledger.sequence_step($1) AS last", now, role="qazyna_projector")
    return rows[0]["last"]


async def step_of(dsn, *budgets) -> int:
    rows = await query(dsn, "SELECT ledger.sequence_step(0, $1, $2) AS last",
                       [await region_of(dsn, code) for code in budgets],
                       [log_id(code) for code in budgets], role="qazyna_projector")  # fmt: skip
    return rows[0]["last"]


async def region_of(dsn, code) -> int:
    (row,) = await query(dsn, "SELECT region FROM ledger.heads WHERE code = $1", code)
    return row["region"]


async def assert_sequenced(dsn) -> int:
    """Gapless, each event once, logs in order, transactions whole, time not going back."""
    rows = await query(
        dsn,
        """
        SELECT s.sequence, s.log, s.position, e.command_id, e.recorded_at,
            (SELECT min(t.last_sequence) FROM ledger.steps AS t
             WHERE t.last_sequence >= s.sequence) AS step
        FROM ledger.sequences AS s INNER JOIN ledger.events AS e
            ON e.region = s.region AND e.log = s.log AND e.position = s.position
        ORDER BY s.sequence""",
    )
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    steps, last = {}, {}
    for row in rows:
        assert row["position"] == last.get(row["log"], 0) + 1
        last[row["log"]] = row["position"]
        assert steps.setdefault(row["command_id"], row["step"]) == row["step"]
    published = [row["published_at"] for row in await query(
        dsn, "SELECT published_at FROM ledger.steps ORDER BY last_sequence")]  # fmt: skip
    assert published == sorted(published)
    return len(rows)


async def test_every_event_gets_one_place_in_whole_steps(ledger, dsn):
    await asyncio.gather(*(
        accepted(ledger, one) for _ in range(15)
        for one in (*(pay(code) for code in BUDGETS), send(), send(OBLAST, RAYON))
    ))  # fmt: skip
    wanted = await sequenced(ledger)
    assert await assert_sequenced(dsn) == wanted
    events = await ledger.events(limit=100_000)
    assert [event.sequence for event in events] == list(range(1, wanted + 1))
    await assert_sound(dsn)


async def test_a_lone_half_of_a_transfer_holds_its_log_back(quiet, dsn):
    """What one node cannot show, a distributed engine can: one half is visible, the other not."""
    before = await step(dsn)
    await accepted(quiet, pay(OBLAST))
    await accepted(quiet, send(OBLAST, RAYON))  # its second half will not be visible
    await accepted(quiet, pay(OBLAST))
    await accepted(quiet, send(REPUBLIC, OBLAST))  # stands above the lone half: held back too
    await accepted(quiet, pay(REPUBLIC))
    heads = "UPDATE ledger.heads SET position = position {} 1 WHERE log = " + str(log_id(RAYON))
    await query(dsn, heads.format("-"))
    assert await step(dsn) == before + 1
    assert await step(dsn) == before + 1
    await query(dsn, heads.format("+"))
    assert await step(dsn) == before + 7
    assert await assert_sequenced(dsn) == before + 7
    (last,) = await query(dsn, "SELECT count(*) AS n FROM ledger.steps WHERE last_sequence > $1",
                          before)  # fmt: skip
    assert last["n"] == 2


async def test_a_half_whose_other_half_was_erased_is_never_sequenced(quiet, dsn):
    before = await step(dsn)
    await accepted(quiet, send(OBLAST, RAYON))
    await tamper(
        dsn,
        f"DELETE FROM ledger.events WHERE log = {log_id(RAYON)} "
        "AND kind = 'budget.transfer.received'",
        f"UPDATE ledger.heads SET position = position - 1 WHERE log = {log_id(RAYON)}",
    )
    assert await step(dsn) == before
    await accepted(quiet, pay(REPUBLIC))
    assert await step(dsn) == before + 1


async def test_a_step_of_named_logs_takes_them_and_leaves_the_rest_for_a_look_at_all(quiet, dsn):
    before = await step(dsn)
    await accepted(quiet, pay(OBLAST), pay(REPUBLIC))
    assert await step_of(dsn, REPUBLIC, REPUBLIC) == before + 1
    assert await step_of(dsn, REPUBLIC) == before + 1
    await accepted(quiet, send(OBLAST, RAYON), pay(REPUBLIC))
    assert await step_of(dsn, RAYON, REPUBLIC) == before + 2, "half a transfer was sequenced"
    assert await step_of(dsn, OBLAST, RAYON) == before + 5
    await accepted(quiet, pay(OBLAST), pay(RAYON))
    assert await step(dsn) == before + 7
    assert await assert_sequenced(dsn) == before + 7
    await assert_sound(dsn)


async def test_what_nobody_names_is_sequenced_all_the_same(ledger, dsn):
    await sequenced(ledger)
    ledger.appender.after_append = lambda _: ledger.sequencer.nudge([(0, log_id(RAYON))])
    for _ in range(5):
        await accepted(ledger, *(pay(code) for code in BUDGETS), send(OBLAST, RAYON))
    await sequenced(ledger)
    await assert_sequenced(dsn)


async def test_two_sequencers_by_mistake_give_no_place_twice(quiet, dsn):
    connections = [await asyncpg.connect(dsn) for _ in range(2)]
    collisions = 0

    async def run(connection):
        nonlocal collisions
        while not done.is_set():
            try:
                await connection.fetchval("SELECT ledger.sequence_step(1)")
            except (asyncpg.UniqueViolationError, asyncpg.SerializationError,
                    asyncpg.DeadlockDetectedError):  # fmt: skip
                collisions += 1

    done = asyncio.Event()
    both = [asyncio.create_task(run(connection)) for connection in connections]
    for _ in range(12):
        await accepted(quiet, *(pay(code) for code in BUDGETS), send())
    done.set()
    await asyncio.gather(*both)
    for connection in connections:
        await connection.close()
    assert await step(dsn) == await assert_sequenced(dsn)
    await assert_sound(dsn)


async def test_one_of_two_processes_sequences_and_the_other_takes_over(dsn, clock):
    one, two = Ledger(dsn, clock=clock), Ledger(dsn, clock=clock)
    await one.open()
    await sequenced(one)
    await two.open()
    await accepted(two, pay())
    await sequenced(one)
    (leader,) = await query(dsn, LEADERS)
    assert leader["n"] == 1
    await one.close()
    await accepted(two, pay())
    await sequenced(two)
    await two.close()
    await assert_sequenced(dsn)


async def test_a_sequencer_that_is_restarted_goes_on_where_it_stopped(quiet, dsn, clock):
    before = await step(dsn)
    for _ in range(3):
        await accepted(quiet, *(pay(code) for code in BUDGETS))
    clock.now -= 86_400_000_000
    async with Ledger(dsn, clock=clock) as restarted:
        assert await sequenced(restarted) == before + 15
    assert await assert_sequenced(dsn) == before + 15


async def test_a_step_is_hinted_to_who_listens(ledger, dsn):
    await sequenced(ledger)
    heard = asyncio.Queue()
    connection = await asyncpg.connect(dsn)
    await connection.add_listener("qazyna_sequence", lambda *args: heard.put_nowait(args[-1]))
    await accepted(ledger, pay())
    async with asyncio.timeout(60):
        assert int(await heard.get()) == await sequenced(ledger)
    await connection.close()


async def test_a_sequencer_stops_at_once_however_it_is_nudged(ledger):
    for _ in range(20):
        ledger.sequencer.nudge()
        async with asyncio.timeout(Sequencer.stop_seconds - 1):
            await ledger.sequencer.stop()
        ledger.sequencer._stopping.clear()
        await ledger.sequencer.start()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("most", [1, 5])
@pytest.mark.parametrize("pace", [0, 1], ids=["at one time", "one after the other"])
async def test_a_backlog_is_taken_in_bounded_steps_of_whole_commands(quiet, dsn, clock, most, pace):
    """The function as it stands, but for how many events it takes at once."""
    before = await step(dsn)
    await query(dsn, sql("functions/sequence_step").replace("65536", str(most)))
    for _ in range(4):
        clock.now += pace
        await accepted(quiet, *(pay(code) for code in BUDGETS), send(), send(OBLAST, RAYON))
    wanted = before + 4 * (len(BUDGETS) + 4)
    reached = [before]
    while reached[-1] < wanted:
        reached.append(await step(dsn))
        assert reached[-1] > reached[-2]
    assert len(reached) > 3
    assert await assert_sequenced(dsn) == wanted == await step(dsn)
    await assert_sound(dsn)
