"""Faults that the machine lets happen while commands are on their way; each counts when it fired.

Each takes the country and the commands that are asked meanwhile; `settle` comes after.
"""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from typing import Any

import asyncpg

from projections.rebuild import rebuild
from projections.registry import NAMES
from tests.faults.messages import TO_CLIENT, TO_SERVER
from tests.faults.stored import query
from tests.machine.country import Country

Documents = Sequence[dict[str, Any]]
SIDES = (TO_SERVER, TO_CLIENT)
TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE $1
"""
SESSIONS = ("qazyna writer", "qazyna projector", "qazyna reader", "qazyna %")
DAY_MICROSECONDS = 86_400_000_000


async def cut_at_a_message(country: Country, documents: Documents, side: int, number: int) -> None:
    """Lose the number-th message of a direction, and the appender's connection with it."""
    before = country.proxy.fired
    country.proxy.cut_at(SIDES[side], number)
    await country.client.all_at_once(documents)
    country.proxy.left = 0
    country.fired[f"cut {SIDES[side]}"] += country.proxy.fired - before


async def end_sessions(country: Country, documents: Documents, which: int, wait: int) -> None:
    """End sessions of one role, or all, some milliseconds after the commands set out."""

    async def fault() -> None:
        await asyncio.sleep(wait / 1000)
        ended = (await query(country.dsn, TERMINATE, SESSIONS[which]))[0]["count"]
        country.fired[f"ended {SESSIONS[which]}"] += bool(ended)

    await country.during(documents, fault())


async def start_again(country: Country, documents: Documents, wait: int) -> None:
    """Close the ledger while commands are on their way, and open it again."""

    async def fault() -> None:
        await asyncio.sleep(wait / 1000)
        await country.stop()
        country.fired["ledger started again"] += 1

    await country.during(documents, fault())
    await country.start()


async def hold_a_head(country: Country, documents: Documents, wait: int) -> None:
    """Hold the lock on the head of the first command's budget for some milliseconds."""
    connection = await asyncpg.connect(country.dsn)
    try:
        async with connection.transaction():
            held = await connection.fetch("SELECT 1 FROM ledger.heads WHERE code = $1 FOR UPDATE",
                                          documents[0]["budget"])  # fmt: skip
            asked = asyncio.create_task(country.client.all_at_once(documents))
            await asyncio.sleep(wait / 100)
            country.fired["head held"] += bool(held)
    finally:
        await connection.close()
    await asked


async def set_the_clock(country: Country, documents: Documents, days: int) -> None:
    """Set the clock wrong by days, back or ahead, while commands are asked, then right again."""
    country.clock.shift = days * DAY_MICROSECONDS
    await country.client.all_at_once(documents)
    country.clock.shift = 0
    country.fired["clock set " + ("back" if days < 0 else "ahead")] += 1


async def let_rivals_write(country: Country, mine: Documents, theirs: Documents) -> None:
    """Two ledgers at once on the same budgets; some commands both."""
    rival = await country.rival()
    await asyncio.gather(
        country.client.all_at_once([*mine, *theirs[:1]]), rival.all_at_once([*theirs, *mine[:1]])
    )
    country.client.unstored += rival.unstored
    country.fired["rival"] += 1


async def rebuild_meanwhile(country: Country, documents: Documents, which: int) -> None:
    """Rebuild a projection and swap it in while commands are written: no row may differ."""
    work = rebuild(country.ledger.database, NAMES[which % len(NAMES)])
    report = await country.during(documents, work)
    assert report.differences == ()
    assert report.swapped
    country.fired["projection rebuilt"] += 1


def crash_the_server(country: Country, documents: Documents, how: int, wait: int) -> None:
    """SIGKILL or immediate stop of PostgreSQL while commands are on their way; start it again.

    Called on the main thread, which owns the server.
    """
    ground = country.ground
    asked = ground.begin(country.client.all_at_once(documents))
    time.sleep(wait / 1000)
    before = ground.server.pid
    os.kill(before, (signal.SIGKILL, signal.SIGQUIT)[how])
    while ground.server.is_alive():
        time.sleep(0.005)
    ground.server.start()
    assert ground.server.pid != before
    asked.result(120)
    country.fired[f"server {('killed', 'stopped at once')[how]}"] += 1
