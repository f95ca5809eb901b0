"""The sequencer: gives every committed event its gapless place in the whole ledger.

One active process part: a session advisory lock outside the append path. A second one by
mistake waits; when the first dies, its connection frees the lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from ledger.errors import Unavailable
from ledger.store.pool import LOST, Database

log = logging.getLogger(__name__)

LEASE = 0x71617A73
"""Advisory lock of the active sequencer ("qazs")."""
IDLE_SECONDS = 0.05
WHOLE_SECONDS = 0.2
"""All heads are looked at so often at least; between, only those named as moved, …"""
NAMED_MAX = 100
"""… unless they are more than this: then to read all is as cheap (2 620 heads, 1 ms)."""
REST_STEPS = 1.0
"""After a step the sequencer rests for so many times as long as the step took, …"""
REST_EVENT_SECONDS = 80e-6
"""… or for so long an event it sequenced, so that a loaded ledger gets fewer, larger steps …"""
REST_SECONDS_MAX = 0.04
"""… but not longer. A step after a silence is taken at once."""
RETRY_SECONDS = 0.5
ANSWER_SECONDS = 60.0
"""A step without an answer for so long counts as lost; a large backlog takes seconds."""
STOP_SECONDS = 5.0


class Sequencer:
    """Runs steps when nudged by the appender of this process, else every 50 ms (for others)."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        """Take the clock as microseconds since 1970 UTC."""
        self.database = database
        self.clock = clock
        self.last_sequence = 0
        self._nudged = asyncio.Event()
        self._moved: set[tuple[int, int]] | None = None
        self._whole_at = 0.0
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def nudge(self, moved: Iterable[tuple[int, int]] | None = None) -> None:
        """Say that something was appended; to which logs (region, log), where that is known."""
        if moved is None:
            self._moved = None
        elif self._moved is not None:
            self._moved.update(moved)
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
            await pause(self._stopping, RETRY_SECONDS)

    async def _lead(self) -> None:
        """Hold the lease on a connection of its own and take steps on it."""
        connection = await self.database.listen("projector", answer_seconds=ANSWER_SECONDS)
        try:
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LEASE):
                await pause(self._stopping, RETRY_SECONDS)
                if self._stopping.is_set():
                    return
            self._moved = None
            while not self._stopping.is_set():
                await self._step(connection)
                if not self._stopping.is_set() and not await pause(self._nudged, IDLE_SECONDS):
                    self._moved = None
        finally:
            connection.terminate()

    async def _step(self, connection: Any) -> None:
        """Take a step, and rest where it found something."""
        self._nudged.clear()
        before, began = self.last_sequence, time.monotonic()
        moved, self._moved = self._moved, set()
        named: tuple[list[int] | None, list[int] | None] = (None, None)
        if moved is None or len(moved) > NAMED_MAX or began >= self._whole_at:
            self._whole_at = began + WHOLE_SECONDS
        else:
            named = [region for region, _ in moved], [log for _, log in moved]
        self.last_sequence = await connection.fetchval(
            "SELECT ledger.sequence_step($1, $2, $3)", self.clock(), *named
        )
        if self.last_sequence > before:
            took = time.monotonic() - began
            rest = max(REST_STEPS * took, REST_EVENT_SECONDS * (self.last_sequence - before))
            await pause(self._stopping, min(rest, REST_SECONDS_MAX))


async def pause(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, but not longer; tell whether it came.

    (`wait_for` of Python 3.11 may swallow a cancellation.)
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await event.wait()
    return False
