"""A disk that fills up and empties: coded answers meanwhile, and nothing is lost."""

import asyncio

import pytest

from ledger.store import append
from tests.faults.full_disk import complaints, file_limit, no_space
from tests.faults.journal import OPEN, load
from tests.faults.kinds import write_wal
from tests.faults.stored import query
from tests.faults.traffic import dice, traffic

MAP = "SELECT pg_relation_filepath('ledger.events_2025') || '_fsm' AS path"
CODES = {"unavailable", "outcome-unknown"}
ENOUGH = 8


async def unsettled(client, name):
    """Post until enough answers settled nothing, each of them with its code."""
    documents, stop, begun = traffic(dice(name)), asyncio.Event(), len(client.journal)
    work = asyncio.create_task(load(client, documents, stop, workers=4))
    async with asyncio.timeout(60):
        while client.count(*OPEN) < ENOUGH:  # noqa: ASYNC110 - a count, not an event
            await asyncio.sleep(0.01)
    stop.set()
    await work
    full = [one for one in client.journal[begun:] if one.outcome in OPEN]
    assert {one.code for one in full} <= CODES


async def works_again(client, name):
    """Post until as many were acknowledged."""
    stop, wanted = asyncio.Event(), client.count("acked") + ENOUGH
    work = asyncio.create_task(load(client, traffic(dice(name)), stop, workers=4))
    await client.reached(wanted)
    stop.set()
    await work


@pytest.fixture
async def unmapped(server, dsn):
    """The map of free space of the events' table, which is to be made when a page is full."""
    await query(dsn, "VACUUM FULL ledger.events_2025")
    return server.pgdata / (await query(dsn, MAP))[0]["path"]


async def test_a_table_that_cannot_grow_is_answered_in_codes_until_it_can(
    server, unmapped, open_judged, monkeypatch
):
    monkeypatch.setattr(append, "GIVE_UP_SECONDS", 0.3)
    before = complaints(server.log)
    async with open_judged() as run:
        with no_space(unmapped):
            await unsettled(run.client, "full table")
        await works_again(run.client, "table")
        await run.judge(complaints(server.log) - before)


async def test_a_server_that_cannot_write_its_wal_is_answered_in_codes_until_it_can(served):
    """It goes down and cannot recover; the service starts it again and again until it can."""
    served.impatient = True
    await served.kill_service()
    await query(served.dsn, "SELECT pg_switch_wal()")
    with file_limit(served.service.process.pid):
        await served.kill_server()  # the next one has the limit
        before = complaints(served.home / "postgres.log")
        await write_wal(served.dsn)
        await unsettled(served.client, "full wal")
    served.fired = complaints(served.home / "postgres.log") - before
    await works_again(served.client, "wal")
    await served.judge()
