"""The sequencer: gives every committed event its gapless place in the whole ledger.

One active process part: a session advisory lock outside the append path. A second one by
mistake waits; when the first dies, its connection frees the lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from ledger.errors import Unavailable
from ledger.store.pool import LOST, Database

log = logging.getLogger(__name__)

LEASE = 0x71617A73
"""Advisory lock of the active sequencer ("qazs")."""
IDLE_SECONDS = 0.05
RETRY_SECONDS = 0.5
ANSWER_SECONDS = 60.0
"""A step without an answer for so long counts as lost; a large backlog takes seconds."""
STOP_SECONDS = 5.0


class Sequencer:
    """Runs steps when nudged by the appender of this process, else every 50 ms."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        """Take the clock as microseconds since 1970 UTC."""
        self.database = database
        self.clock = clock
        self.last_sequence = 0
        self._nudged = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def nudge(self) -> None:
        """Say that something was appended."""
        self._nudged.set()

    async def start(self) -> None:
        """Start taking steps."""
        self._task = asyncio.create_task(self._run(), name="sequencer")

    async def stop(self) -> None:
        """Stop after the running step, or without it where the server does not answer."""
        self._stopping.set()
        self._nudged.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_SECONDS)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        """Lead again after every failure."""
        while not self._stopping.is_set():
            try:
                await self._lead()
            except (*LOST, Unavailable) as error:
                log.warning("the sequencer lost the database: %r", error)
            except Exception:
                log.exception("the sequencer failed and starts again")
            await _pause(self._stopping, RETRY_SECONDS)

    async def _lead(self) -> None:
        """Hold the lease on a connection of its own and take steps on it."""
        connection = await self.database.listen("projector", answer_seconds=ANSWER_SECONDS)
        try:
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LEASE):
                await _pause(self._stopping, RETRY_SECONDS)
                if self._stopping.is_set():
                    return
            while not self._stopping.is_set():
                self._nudged.clear()
                self.last_sequence = await connection.fetchval(
                    "SELECT ledger.sequence_step($1)", self.clock()
                )
                if not self._stopping.is_set():
                    await _pause(self._nudged, IDLE_SECONDS)
        finally:
            connection.terminate()


async def _pause(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not longer. (`wait_for` of Python 3.11 may swallow a cancellation.)"""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
