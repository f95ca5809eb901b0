"""The sequencer: gives every committed event its gapless place in the whole ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from ledger.store.leader import Leader, pause
from ledger.store.pool import Database

IDLE_SECONDS = 0.05
WHOLE_SECONDS = 0.2
"""All heads are looked at so often at least; between, only those named as moved, …"""
NAMED_MAX = 100
"""… unless they are more than this: then to read all is as cheap (2 620 heads, 1 ms)."""
REST_STEPS = 0.25
"""After a step the sequencer rests for so many times as long as the step took, …"""
REST_EVENT_SECONDS = 80e-6
"""… or for so long an event it sequenced, so that a loaded ledger gets fewer, larger steps …"""
REST_SECONDS_MAX = 0.04
"""… but not longer. A step after a silence is taken at once."""


class Sequencer(Leader):
    """Runs steps when nudged by the appender of this process, else every 50 ms (for others)."""

    name = "sequencer"
    lease = 0x71617A73  # "qazs"
    stop_seconds = 5.0

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        """Take the clock as microseconds since 1970 UTC."""
        super().__init__(database)
        self.clock = clock
        self.last_sequence = 0
        self._moved: set[tuple[int, int]] | None = None
        self._whole_at = 0.0

    def nudge(self, moved: Iterable[tuple[int, int]] | None = None) -> None:
        """Say that something was appended; to which logs (region, log), where that is known."""
        if moved is None:
            self._moved = None
        elif self._moved is not None:
            self._moved.update(moved)
        self._nudged.set()

    async def _work(self, connection: Any) -> None:
        """Take steps."""
        self._moved = None
        while not self._stopping.is_set():
            await self._step(connection)
            if not self._stopping.is_set() and not await pause(self._nudged, IDLE_SECONDS):
                self._moved = None

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
