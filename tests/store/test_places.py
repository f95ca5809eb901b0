"""Where the sequence of an event is found, and the event of a sequence: against brute force."""

import asyncio
from random import Random

import asyncpg
import pytest

from ledger.service import Ledger
from ledger.store.checks import check
from ledger.store.migrate import migrate
from ledger.store.sql import folder, sql
from tests.store.test_sequencer import assert_sequenced, step
from tests.store.world import BUDGETS, OBLAST, RAYON, accepted, pay, query, send, sequenced

STRETCH = 131_072
"""Sequences between two landmarks of a log that moves all the time."""


@pytest.fixture
async def quiet(ledger):
    """A ledger whose sequencer stands still after it has caught up."""
    await sequenced(ledger)
    await ledger.sequencer.stop()
    return ledger


async def traffic(ledger: Ledger, random: Random, dsn, rounds: int) -> None:
    """Random postings, transfers among them, with steps of random sizes between them."""
    codes = list(BUDGETS)
    for _ in range(rounds):
        wanted = [send(OBLAST, RAYON) if random.random() < 0.2 else pay(random.choice(codes))
                  for _ in range(random.randrange(1, 6))]  # fmt: skip
        await asyncio.gather(*(accepted(ledger, one) for one in wanted))
        if random.random() < 0.5:
            await step(dsn)
    await step(dsn)


async def assert_places(dsn) -> int:
    """Every way to look a place up says what the steps say; return how many there are."""
    rows = [tuple(row) for row in await query(
        dsn, "SELECT * FROM ledger.sequences ORDER BY sequence")]  # fmt: skip
    first, last = rows[0][0], rows[-1][0]
    logs: dict = {}
    for sequence, region, log, position in rows:
        logs.setdefault((region, log), []).append((sequence, position))
    connection = await asyncpg.connect(dsn, server_settings={"role": "qazyna_reader"})
    try:
        for after, upto in ((0, last), (first - 1, last - 1), (first + 3, first + 7), (last, last),
                            (first + 1, last + 99)):  # fmt: skip
            found = await connection.fetch(
                "SELECT * FROM ledger.places($1, $2) ORDER BY sequence", after, upto
            )
            assert [tuple(row) for row in found] == [r for r in rows if after < r[0] <= upto]
        for (region, log), places in logs.items():
            end = places[-1][1]
            for low, high in ((1, end), (2, 3), (end, end), (end, end + 5), (end + 1, end + 2)):
                found = await connection.fetch(
                    "SELECT sequence, position FROM ledger.log_places($1, $2, $3, $4) ORDER BY 1",
                    region, log, low, high,
                )  # fmt: skip
                assert [tuple(row) for row in found] == [p for p in places if low <= p[1] <= high]
            for sequence in (0, first - 1, *range(max(first, last - 40), last + 2)):
                found = await connection.fetchval(
                    "SELECT ledger.position_at($1, $2, $3)", region, log, sequence
                )
                assert found == max((p for s, p in places if s <= sequence), default=0)
    finally:
        await connection.close()
    return len(rows)


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_order_of_a_step_is_that_of_time_region_log_and_position(quiet, dsn, seed):
    random = Random(seed)
    for _ in range(8):
        before = await step(dsn)
        for _ in range(random.randrange(1, 5)):
            await asyncio.gather(*(accepted(quiet, pay(random.choice(list(BUDGETS))))
                                   for _ in range(random.randrange(1, 5))))  # fmt: skip
        await accepted(quiet, send(OBLAST, RAYON))
        wanted = await query(
            dsn,
            """
            SELECT e.region, e.log, e.position FROM ledger.events AS e
            LEFT JOIN ledger.sequences AS s USING (region, log, position)
            WHERE s.sequence IS NULL ORDER BY e.recorded_at, e.region, e.log, e.position""",
        )
        assert await step(dsn) == before + len(wanted)
        given = await query(
            dsn, "SELECT region, log, position FROM ledger.places($1, $2) ORDER BY sequence",
            before, before + len(wanted),
        )  # fmt: skip
        assert [tuple(row) for row in given] == [tuple(row) for row in wanted]
    await assert_sequenced(dsn)


@pytest.mark.parametrize("seed", [3, 4])
async def test_every_place_is_found_both_ways(quiet, dsn, seed):
    await traffic(quiet, Random(seed), dsn, 12)
    assert await assert_places(dsn) == await assert_sequenced(dsn)
    assert await check(dsn) == []


async def test_places_are_found_across_the_ends_of_stretches(quiet, dsn):
    """Empty steps stand in for the millions of events of other logs between two landmarks."""
    await traffic(quiet, Random(5), dsn, 3)
    for _ in range(3):
        last = await step(dsn)
        ahead = (last // STRETCH + 1) * STRETCH - 6
        await query(dsn, "INSERT INTO ledger.steps SELECT $1, $2, max(published_at), '{}', '{}' "
                    "FROM ledger.steps", ahead, last + 1)  # fmt: skip
        await traffic(quiet, Random(last), dsn, 5)
    await accepted(quiet, pay(OBLAST))
    await step(dsn)
    await assert_places(dsn)
    marks = await query(dsn, "SELECT count(*) AS n, count(DISTINCT step >> 17) AS stretches "
                        "FROM ledger.landmarks WHERE region = 1")  # fmt: skip
    assert marks[0]["stretches"] == 4
    assert {one.code for one in await check(dsn)} == {"sequence-gap"}


async def test_a_feed_reads_pages_of_the_ledger_and_of_a_budget(quiet, dsn):
    await traffic(quiet, Random(6), dsn, 10)
    whole = await quiet.events(limit=10_000)
    for budget in (None, OBLAST, RAYON):
        wanted = [one for one in whole if budget in (None, one.budget)]
        found, after = [], 0
        while page := await quiet.events(after, 7, budget):
            assert len(page) <= 7
            found, after = found + page, page[-1].sequence
        assert found == wanted
    assert await quiet.events(2**62, 10) == await quiet.events(2**62, 10, OBLAST) == []


async def test_a_log_that_is_held_back_entirely_gets_its_places_later(quiet, dsn):
    """Three logs, one behind the other: nothing of them is published before the last is visible."""
    before = await step(dsn)
    chain = list(BUDGETS)[:3]
    heads = "UPDATE ledger.heads SET position = position {} 1 WHERE code = $1"
    await accepted(quiet, send(chain[0], chain[1]))
    await accepted(quiet, send(chain[1], chain[2]))
    await query(dsn, heads.format("-"), chain[2])
    # The second transfer's lone half stands above the first one's second half.
    assert await step(dsn) == before + 2
    await query(dsn, heads.format("+"), chain[2])
    assert await step(dsn) == before + 4
    await assert_places(dsn)
    assert await assert_sequenced(dsn) == before + 4


async def _as_before_0003(dsn, random: Random) -> list[tuple]:
    """Make the tables of the releases before, with steps of random logs; return the places."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(sql("roles"))
    name = dsn.split("/")[3].split("?")[0]
    await connection.execute(f"GRANT CREATE ON DATABASE {name} TO qazyna_owner, qazyna_projector")
    await connection.execute("SET ROLE qazyna_owner")
    for file in folder("migrations")[:2]:
        await connection.execute(sql(f"migrations/{file}"))
        await connection.execute(
            "INSERT INTO ledger.migrations VALUES ($1, $2)", int(file[:4]), file
        )
    rows, steps, ends = [], [], dict.fromkeys(range(1, 30), 0)
    for _ in range(40):
        for _ in range(random.randrange(1, 30)):
            log = random.randrange(1, 30)
            ends[log] += 1
            rows.append((len(rows) + 1, log % 4, log, ends[log]))
        steps.append((len(rows), 1_000 + len(steps)))
    await connection.copy_records_to_table("sequences", schema_name="ledger", records=rows)
    await connection.copy_records_to_table("steps", schema_name="ledger", records=steps)
    await connection.copy_records_to_table(
        "sequenced", schema_name="ledger", records=[(n % 4, n, end) for n, end in ends.items()]
    )
    await connection.close()
    return rows


async def test_what_was_sequenced_a_row_an_event_keeps_its_places(empty):
    rows = await _as_before_0003(empty, Random(7))
    assert "0003_steps" in await migrate(empty)
    assert await assert_places(empty) == len(rows)
    found = await query(empty, "SELECT * FROM ledger.sequences ORDER BY sequence")
    assert [tuple(row) for row in found] == rows
    found = await query(empty, "SELECT last_sequence, first_sequence, published_at "
                        "FROM ledger.steps ORDER BY 1")  # fmt: skip
    assert len(found) == 40
    assert [row["first_sequence"] for row in found[1:]] == [
        row["last_sequence"] + 1 for row in found[:-1]]  # fmt: skip
    assert [row["published_at"] for row in found] == list(range(1_000, 1_040))
    places = [one for one in await check(empty) if one.code.startswith(("sequence", "landmark"))]
    assert places == []
