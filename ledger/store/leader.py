"""Work that a whole ledger has one of at a time: who holds its lease leads, the others wait.

The lease is a session advisory lock, outside the append path: when a leader dies, its connection
frees the lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from ledger.errors import Unavailable
from ledger.store.pool import LOST, Database

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
ANSWER_SECONDS = 60.0
"""A statement without an answer for so long counts as lost; a large backlog takes seconds."""


class Leader(ABC):
    """Leads when it can, again after every failure, until it is stopped."""

    name: ClassVar[str]
    lease: ClassVar[int]
    stop_seconds: ClassVar[float]
    """The end of its work may take so long; then the work is cancelled."""

    def __init__(self, database: Database) -> None:
        """Wait for `start`."""
        self.database = database
        self.active = False
        self._nudged, self._stopping = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start to lead, or to wait for the lease."""
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """Stop after the work at hand, or without it where the server does not answer."""
        self._stopping.set()
        self._nudged.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=self.stop_seconds)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        """Lead again after every failure."""
        while True:
            seconds = RETRY_SECONDS
            try:
                await self._lead()
            except (*LOST, Unavailable) as error:
                log.warning("the %s lost the database: %r", self.name, error)
            except Exception as error:  # noqa: BLE001 - told, and tried again
                seconds = self._failed(error)
            finally:
                self.active = False
            if self._stopping.is_set():
                return
            await pause(self._stopping, seconds)

    def _failed(self, error: Exception) -> float:
        """Tell of a failure; return after how many seconds to try again."""
        log.error("the %s failed and starts again", self.name, exc_info=error)
        return RETRY_SECONDS

    async def _lead(self) -> None:
        """Hold the lease on a connection of its own, and work on it."""
        connection = await self.database.listen("projector", answer_seconds=ANSWER_SECONDS)
        try:
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", self.lease):
                if self._stopping.is_set():
                    return
                await pause(self._stopping, RETRY_SECONDS)
            with self._held():
                self.active = True
                await self._work(connection)
        finally:
            connection.terminate()

    def _held(self) -> AbstractContextManager[Any]:
        """What is held while leading, besides the lease."""
        return contextlib.nullcontext()

    @abstractmethod
    async def _work(self, connection: Any) -> None:
        """Work until `_stopping` is set, waiting for `_nudged`."""


async def pause(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, but not longer; tell whether it came.

    (`wait_for` of Python 3.11 may swallow a cancellation.)
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await event.wait()
    return False
