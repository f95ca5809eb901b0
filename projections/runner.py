"""The runner: applies the sequencer's whole steps to every projection, exactly once.

The checkpoint row moves in the transaction of the step, so a crash anywhere applies it again or
not at all. One runner is active (advisory lock); others wait and still answer `wait_for`. A
notification of the sequencer is a hint, a look four times a second is the rule.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from prometheus_client import Counter, Gauge

from ledger.errors import Unavailable
from ledger.store.pool import CONFLICT, LOST, Database
from projections.parking import advance, count_parked, retry_parked
from projections.rebuild import rebuild
from projections.registry import NAMES, Projection, projections, sql
from projections.versions import prepare
from projections.waiting import BudgetParked, NotAppliedYet, Waiting

__all__ = ["BudgetParked", "NotAppliedYet", "Runner"]
log = logging.getLogger(__name__)

LEASE = 0x71617A70
"""Advisory lock of the active runner ("qazp")."""
IDLE_SECONDS = 0.25
REST_SECONDS = 0.05
"""How long a projection that nobody waits for lets steps gather: it applies them in one."""
SEQUENCE_MAX = 2**63 - 1
RETRY_SECONDS = 0.5
LAG = Gauge("qazyna_projection_lag_events", "sequenced events not applied yet", ["projection"])
APPLIED = Counter("qazyna_projection_events", "events applied", ["projection"])


class Runner:
    """Follows the sequencer with every projection of the registry."""

    def __init__(self, database: Database, sequencer: Any = None) -> None:
        """Take the database and this process's sequencer, if it has one."""
        self.database = database
        self.sequencer = sequencer
        self.active = False
        self._nudges: dict[str, asyncio.Event] = {name: asyncio.Event() for name in NAMES}
        self.waiting = Waiting(database)
        self._task: asyncio.Task[None] | None = None

    def nudge(self, *_: object) -> None:
        """Say that something was sequenced."""
        for event in self._nudges.values():
            event.set()

    async def start(self) -> None:
        """Make the schemas where they are missing and start to follow."""
        connection = await self.database.listen("projector")
        try:
            stale = await prepare(connection)
        finally:
            await connection.close(timeout=2)
        self._task = asyncio.create_task(self._run(stale), name="projections")

    async def stop(self) -> None:
        """Stop; a running step is rolled back and applied again later."""
        await self.waiting.stop()
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1)  # unlike await, never eats our own cancel
        self._task = None

    async def _run(self, stale: list[str]) -> None:
        while True:
            try:
                await self._lead(stale)
            except (*LOST, *CONFLICT, Unavailable) as error:
                log.warning("the projections lost the database: %s", error)
            except Exception:
                log.exception("the projections failed and start again")
            finally:
                self.active = False
            await asyncio.sleep(RETRY_SECONDS)

    async def _lead(self, stale: list[str]) -> None:
        """Hold the lease on a connection of its own and follow until one part fails."""
        connection = await self.database.listen("projector")
        try:
            # Another process may hold it, so there is no event to wait for.
            while not await connection.fetchval(sql("", "take_lease"), LEASE):  # noqa: ASYNC110
                await asyncio.sleep(RETRY_SECONDS)
            self.active = True
            while stale:
                await rebuild(self.database, stale[0], compare=False)
                stale.pop(0)
            await retry_parked(self.database)
            await connection.add_listener("qazyna_sequence", self.nudge)
            async with asyncio.TaskGroup() as tasks:
                for projection in projections():
                    tasks.create_task(self._follow(projection))
                tasks.create_task(self._watch(connection))
        except ExceptionGroup as group:
            raise group.exceptions[0] from group
        finally:
            await asyncio.shield(connection.close(timeout=2))

    async def _follow(self, projection: Projection) -> None:
        """Apply what is there, wait for more, on a connection of its own."""
        nudged = self._nudges[projection.name]
        connection = await self.database.listen("projector")
        try:
            while True:
                nudged.clear()
                step = await advance(connection, projection)
                if step.after > step.before:
                    APPLIED.labels(projection.name).inc(step.after - step.before)
                    self.waiting.advanced(projection.name, step.after)
                if step.after == step.published:
                    await self.waiting.rest(projection.name, REST_SECONDS)
                    await self._idle(connection, nudged, step.after)
        finally:
            connection.terminate()

    async def _idle(self, connection: Any, nudged: asyncio.Event, reached: int) -> None:
        """Wait until something is published after a sequence: by the hint, or by looking."""
        while not nudged.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):  # wait_for may swallow a cancel (3.11)
                    await nudged.wait()
                    return
            if await connection.fetchval(sql("", "last_published"), SEQUENCE_MAX) > reached:
                return

    async def _watch(self, lease: Any) -> None:
        """Keep the metrics; fails, and so ends the lead, when the lease's connection is gone."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            last = await lease.fetchval("SELECT coalesce(max(last_sequence), 0) FROM ledger.steps")
            for name, applied in (await self._applied()).items():
                LAG.labels(name).set(max(0, last - applied))
            await count_parked(lease)

    async def _applied(self) -> dict[str, int]:
        """Return the sequence that each projection has applied."""
        async with self.database.connect("reader") as connection:
            rows = await connection.fetch(sql("", "applied"))
        return {row["name"]: row["sequence"] for row in rows}

    async def sequence(self, projection: str | None = None) -> int:
        """Return the sequence that a projection, or else every projection, has applied."""
        applied = await self._applied()
        return applied[projection] if projection else min(applied.values(), default=0)

    async def wait_for(
        self, budget: str, position: int, timeout_seconds: float = 5.0,
        projection: str | None = None,
    ) -> int:  # fmt: skip
        """Wait until a budget's position is applied (`at_least`); return its sequence.

        Waits for every projection unless one is named. Raises `NotFound` for an unknown budget,
        `NotAppliedYet` after the time, `BudgetParked` where waiting does not help.
        """
        names = (projection,) if projection else NAMES
        return await self.waiting.wait(budget, position, names, timeout_seconds)
