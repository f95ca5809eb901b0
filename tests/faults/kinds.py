"""The kinds of faults that a soak draws from; each proves that it fired or fails."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg

from tests.cli.program import Service, environment
from tests.faults.dying import ARMED
from tests.faults.full_disk import LIMIT_BYTES, complaints, file_limit, filled
from tests.faults.journal import OPEN, OverHttp, load
from tests.faults.points import POINTS, arm
from tests.faults.serving import CLOCK, Served
from tests.faults.stored import RESTARTING, query
from tests.faults.traffic import traffic
from tests.store.world import BUDGETS, OBLAST, REPUBLIC, ROOT, pay, send

TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
WRITE_WAL = """
SELECT pg_logical_emit_message(true, 'test', repeat('x', $1 - (
    pg_walfile_name_offset(pg_current_wal_lsn())).file_offset))
"""
ROOM_BYTES = 1 << 16
"""Left below the limit: what the next postings write goes above it."""
UNSETTLED = 6
"""Answers that settle nothing, before a full disk gets room again."""
WAIT_SECONDS = 120
Fault = Callable[[Served, random.Random], Awaitable[None]]


async def kill_service(served: Served, _: random.Random) -> None:
    """SIGKILL of the service at any moment."""
    await served.kill_service()


async def kill_at_a_point(served: Served, chance: random.Random) -> None:
    """SIGKILL of the service at a named point of a posting's way."""
    served.arm(chance.choice([name for name in POINTS if not name.startswith("swap")]))
    one = asyncio.create_task(served.client.ask(pay(), pay(OBLAST), atomic=True))
    two = asyncio.create_task(served.client.ask(send(REPUBLIC, OBLAST)))  # some points need them
    await served.died()
    await asyncio.gather(one, two)


async def kill_a_rebuild(served: Served, chance: random.Random) -> None:
    """SIGKILL of `qazyna rebuild`, a guest of the home, at a named point of a swap."""
    armed = served.home.parent / "armed-rebuild"
    arm(armed, chance.choice([name for name in POINTS if name.startswith("swap")]))
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.faults.dying", "rebuild", "--home", served.home],
        env=environment(**{"QAZYNA_CLOCK": CLOCK, ARMED: str(armed)}), cwd=ROOT,
        capture_output=True, check=False, timeout=WAIT_SECONDS,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended
    assert not armed.exists()
    served.fired += 1


async def kill_server(served: Served, _: random.Random) -> None:
    """SIGKILL of PostgreSQL."""
    await served.kill_server()


async def stop_server(served: Served, _: random.Random) -> None:
    """Immediate stop of PostgreSQL."""
    await served.kill_server(signal.SIGQUIT)


async def kill_both(served: Served, _: random.Random) -> None:
    """SIGKILL of PostgreSQL and the service in one moment."""
    await served.kill_both()


async def stop_service(served: Served, _: random.Random) -> None:
    """SIGTERM to the service."""
    served.service.process.terminate()
    served.fired += 1
    assert await served.ended() == 0
    await served.start()


async def end_sessions(served: Served, _: random.Random) -> None:
    """End every session of the database."""
    connection = await asyncpg.connect(served.dsn)
    served.fired += bool(await connection.fetchval(TERMINATE))
    await connection.close()


async def hold_a_head(served: Served, chance: random.Random) -> None:
    """Lock a budget's head for a moment."""
    connection = await asyncpg.connect(served.dsn)
    async with connection.transaction():
        await connection.execute(
            f"SELECT 1 FROM ledger.heads WHERE code = '{chance.choice([*BUDGETS])}' FOR UPDATE"
        )
        await asyncio.sleep(0.5)
    served.fired += 1
    await connection.close()


async def kill_a_rival(served: Served, chance: random.Random) -> None:
    """A second service, with a sequencer and projectors of its own, and its SIGKILL under load."""
    folder = served.home.parent
    with (folder / "rival.log").open("a") as log:
        rival = await asyncio.to_thread(
            Service, folder / "rival", log=log, DATABASE_URL=served.dsn, QAZYNA_CLOCK=CLOCK
        )
    client, stop = OverHttp(lambda: rival.url), asyncio.Event()
    work = asyncio.create_task(load(client, traffic(chance), stop, workers=3))
    try:
        await client.reached(chance.randint(10, 30), WAIT_SECONDS)
    finally:
        rival.process.kill()
        await asyncio.to_thread(rival.process.communicate)
        stop.set()
        await work
        await client.close()
    served.client.journal += client.journal
    served.fired += 1


async def write_wal(dsn: str) -> None:
    """Bring the WAL almost to the limit of file sizes, where others may have been first."""
    with suppress(asyncpg.PostgresError, *RESTARTING):
        await query(dsn, WRITE_WAL, LIMIT_BYTES - ROOM_BYTES)


async def limit_files(served: Served, _: random.Random) -> None:
    """Let PostgreSQL's WAL have no room: it goes down and cannot recover until it has."""
    await query(served.dsn, "SELECT pg_switch_wal()")
    with file_limit(served.service.process.pid):
        await served.kill_server()  # the next one has the limit
        log = served.home / "postgres.log"
        before = complaints(log)
        await write_wal(served.dsn)
        await _unsettled(served)
    assert complaints(log) > before


async def fill_disk(served: Served, _: random.Random) -> None:
    """Fill the small disk of the home, with the server's log on it, to its last byte."""
    with filled(served.home.parent):
        await _unsettled(served)
    served.fired += 1


async def _unsettled(served: Served) -> None:
    """Wait until enough answers settled nothing."""
    wanted = served.client.count(*OPEN) + UNSETTLED
    async with asyncio.timeout(WAIT_SECONDS):
        while served.client.count(*OPEN) < wanted:  # noqa: ASYNC110 - a count, not an event
            await asyncio.sleep(0.02)


KINDS: dict[str, Fault] = {
    "service killed": kill_service,
    "service killed at a point": kill_at_a_point,
    "rebuild killed at a point": kill_a_rebuild,
    "server killed": kill_server,
    "server stopped at once": stop_server,
    "both killed": kill_both,
    "service stopped": stop_service,
    "sessions ended": end_sessions,
    "head held": hold_a_head,
    "rival service killed": kill_a_rival,
    "file size limited": limit_files,
    "disk filled": fill_disk,
}
IMPATIENT = "file size limited", "disk filled"
"""Kinds for which the service shall not wait long for its database."""
NEEDS_SMALL_DISK = "disk filled"
