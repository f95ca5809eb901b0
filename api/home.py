"""The database behind a command: the home's own server for a while, the running one, or a remote.

Every command uses `database`, a service `owned`. Of several processes on one home the first owns
the server; the others are its guests and go through its socket. A command that owns the server
waits for its guests before it stops the server; a service does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import asyncpg

from api.assembly import ledger_clock
from api.settings import Settings
from ledger.errors import NotFound, Unavailable
from ledger.store.embedded import EmbeddedPostgres, EmbeddedPostgresError, HomeInUse
from ledger.store.pool import LOST, Database
from ledger.store.sequencer import Sequencer

log = logging.getLogger(__name__)
GUESTS = "guests.lock"
"""Lock file of a home: shared by its guests, exclusive to an owner that is stopping the server."""
WAIT_SECONDS = 60.0
POLL_SECONDS = 0.05
ALIVE_SECONDS, RETRY_SECONDS = 0.2, 5.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """A database that answers; `owner` when this process started the server."""

    dsn: str
    owner: bool

    def settings(self, settings: Settings) -> Settings:
        """Return settings whose parts use this database and start no server of their own."""
        return settings.model_copy(update={"database_url": self.dsn})


@contextmanager
def database(settings: Settings, *, create: bool = False) -> Iterator[Place]:
    """Hand out the database of the settings; must be entered on the main thread.

    Raises `NotFound` where the home holds no ledger and none is to be created, `Unavailable`
    when the server of another process does not answer.
    """
    if settings.database_url is not None:
        yield Place(dsn=settings.database_url, owner=False)
        return
    embedded = EmbeddedPostgres(settings.home)
    if not create and not embedded.pgdata.exists():
        raise NotFound("no-ledger", f"there is no ledger in {settings.home}; "
                       "start one with `qazyna load` or `qazyna serve`")  # fmt: skip
    guest = _own_or_visit(embedded)
    if guest is not None:
        with guest:
            yield Place(dsn=embedded.dsn(), owner=False)
        return
    try:
        yield Place(dsn=embedded.dsn(), owner=True)
    except BaseException:
        embedded.stop()  # an interrupted command lets nobody wait
        raise
    with _lock_file(settings.home) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        embedded.stop()


@asynccontextmanager
async def owned(settings: Settings) -> AsyncIterator[Place]:
    """Hand out the database of a service, which owns its server and starts a crashed one again.

    Must be entered on the main thread. Raises `HomeInUse` where another process owns the home.
    """
    if settings.database_url is not None:
        yield Place(dsn=settings.database_url, owner=False)
        return
    embedded = EmbeddedPostgres(settings.home)
    with embedded:
        guard = asyncio.create_task(_restart(embedded), name="embedded server")
        try:
            yield Place(dsn=embedded.dsn(), owner=True)
        finally:
            guard.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await guard


async def _restart(embedded: EmbeddedPostgres) -> None:
    """Start the server again whenever it has ended.

    Blocks the process while PostgreSQL recovers: the server belongs to the thread that starts it,
    and there is nothing to answer from meanwhile.
    """
    while True:
        await asyncio.sleep(ALIVE_SECONDS)
        if embedded.is_alive():
            continue
        log.error("the PostgreSQL of %s has ended and is started again", embedded.home)
        try:
            embedded.start()
        except EmbeddedPostgresError as error:
            log.critical("%s", error.message)
            await asyncio.sleep(RETRY_SECONDS)


def _own_or_visit(embedded: EmbeddedPostgres) -> IO[bytes] | None:
    """Start the server and return None, or return the held guest lock of a running one."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            embedded.start()
            return None
        except HomeInUse as error:
            reason = error.message
        lock = _lock_file(embedded.home)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if asyncio.run(_answers(embedded.dsn())):
                return lock
        except BlockingIOError:
            pass
        lock.close()
        if time.monotonic() > deadline:
            raise Unavailable(f"{reason}, and it does not answer")
        time.sleep(POLL_SECONDS)


def _lock_file(home: Path) -> IO[bytes]:
    """Open the file that guests lock; closing it frees the lock."""
    return (home / GUESTS).open("ab")


async def _answers(dsn: str) -> bool:
    """Tell whether a server answers and its ledger has been set up."""
    with contextlib.suppress(*LOST, asyncpg.InvalidCatalogNameError):
        connection = await asyncpg.connect(dsn, timeout=5)
        try:
            return bool(await connection.fetchval("SELECT to_regclass('ledger.sequences')"))
        finally:
            await connection.close()
    return False


async def settle(settings: Settings, dsn: str) -> None:
    """Wait until every committed event has its sequence; give it where no service does.

    A service that was killed leaves committed events that are not sequenced yet.
    """
    pool = Database(dsn)
    await pool.open(size=1)
    sequencer = Sequencer(pool, await ledger_clock(settings.clock, dsn))
    try:
        async with pool.connect("reader") as connection:
            if await _is_level(connection):
                return
            await sequencer.start()
            deadline = time.monotonic() + WAIT_SECONDS
            while not await _is_level(connection):
                if time.monotonic() > deadline:
                    raise Unavailable("committed events are not sequenced")
                await asyncio.sleep(POLL_SECONDS)
    finally:
        await sequencer.stop()
        await pool.close()


async def _is_level(connection: Any) -> bool:
    """Tell whether as many events are sequenced as are committed."""
    return bool(await connection.fetchval(
        "SELECT (SELECT coalesce(sum(position), 0) FROM ledger.heads)"
        " <= (SELECT coalesce(max(last_sequence), 0) FROM ledger.steps)"
    ))  # fmt: skip
