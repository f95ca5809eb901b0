"""Read-your-writes: waiting until projections have applied a budget's position (`at_least`).

All readers that wait share one look at the database a moment, however many they are.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from ledger.errors import LedgerError, NotFound, RetryLater
from ledger.store.pool import Database
from projections.registry import NAMES, sql

LOOK_SECONDS = 0.02


class NotAppliedYet(RetryLater):
    """A projection has not reached the position that the reader asked for."""

    code = "not-applied-yet"


class BudgetParked(RetryLater):
    """The budget waits for a fix: an event of it could not be applied."""

    code = "budget-parked"
    retry_after = 60


@dataclass(eq=False)
class _Reader:
    """One reader that waits for a budget's position in some projections.

    `sequence` is that of the position, once it has one: it never changes.
    """

    budget: str
    position: int
    names: tuple[str, ...]
    answer: asyncio.Future[int]
    sequence: int | None = None

    def look(self, found: Any) -> None:
        """Answer if it can be answered now, by a row of `standing.sql`."""
        self.sequence = found["sequence"]
        if not found["open"]:
            self.fail(NotFound("unknown-budget", f"no budget {self.budget} is open",
                               budget=self.budget))  # fmt: skip
        if self.sequence is None or self.answer.done():
            return
        applied, parked = (dict(zip(NAMES, found[of], strict=True)) for of in ("applied", "parked"))
        stuck = [parked[name] for name in self.names if parked[name] is not None]
        if any(reached < self.sequence for reached in stuck):
            self.fail(BudgetParked(f"{self.budget} waits for a fix", budget=self.budget))
        elif all(applied[name] >= self.sequence for name in self.names):
            self.answer.set_result(self.sequence)

    def fail(self, error: LedgerError) -> None:
        """Answer with an error, unless the reader has gone."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Waiting:
    """The readers that wait, and the one task that looks for them."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self.database = database
        self._moved = asyncio.Event()
        self._wanted: dict[str, asyncio.Event] = {name: asyncio.Event() for name in NAMES}
        self._readers: list[_Reader] = []
        self._connection: Any = None
        self._task: asyncio.Task[None] | None = None

    async def wait(
        self, budget: str, position: int, names: tuple[str, ...], timeout_seconds: float
    ) -> int:
        """Return the sequence of a position once it is applied.

        Raises `NotFound` for an unknown budget, `NotAppliedYet` after the time, `BudgetParked`.
        """
        reader = _Reader(budget, position, names, asyncio.get_running_loop().create_future())
        self._readers.append(reader)
        self._moved.set()
        for name in names:
            self._wanted[name].set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="readers that wait")
        try:
            async with asyncio.timeout(timeout_seconds):
                return await reader.answer
        except TimeoutError:
            raise NotAppliedYet(f"{budget} is not applied up to position {position} yet",
                                budget=budget, position=position) from None  # fmt: skip
        finally:
            with contextlib.suppress(ValueError):
                self._readers.remove(reader)

    def advanced(self, name: str, sequence: int) -> None:
        """Say that a projection has applied a sequence: look, if that may answer a reader."""
        if any(name in reader.names and (reader.sequence or 0) <= sequence
               for reader in self._readers):  # fmt: skip
            self._moved.set()

    async def rest(self, name: str, seconds: float) -> None:
        """Wait so long, or until a reader waits for a projection."""
        if any(name in reader.names for reader in self._readers):
            return
        self._wanted[name].clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # wait_for may swallow a cancel (3.11)
                await self._wanted[name].wait()

    async def stop(self) -> None:
        """End the task; readers that still wait run into their time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._disconnect()

    async def _run(self) -> None:
        """Look as long as somebody waits; a reader gets the error of a failed look."""
        while self._readers:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self.database.listen("reader")
                await self._look_on(self._connection)
            except Exception as error:  # noqa: BLE001 - the readers are told, nothing is hidden
                self._disconnect()
                for reader in self._readers:
                    if not reader.answer.done():
                        reader.answer.set_exception(error)
            self._readers = [reader for reader in self._readers if not reader.answer.done()]

    def _disconnect(self) -> None:
        """Drop the connection without a word: the server may not listen any more."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _look_on(self, connection: Any) -> None:
        """Look on one connection, at once where something moved, until nobody waits."""
        while self._readers:
            self._moved.clear()
            await _look(connection, list(self._readers))
            self._readers = [reader for reader in self._readers if not reader.answer.done()]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):  # wait_for may swallow a cancel (3.11)
                    await self._moved.wait()


async def _look(connection: Any, readers: list[_Reader]) -> None:
    """Answer every reader that can be answered now."""
    rows = await connection.fetch(
        sql("", "standing"), [reader.budget for reader in readers],
        [reader.position for reader in readers], [reader.sequence for reader in readers],
    )  # fmt: skip
    for reader, found in zip(readers, rows, strict=True):
        reader.look(found)
