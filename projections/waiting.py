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
from projections.registry import sql

LOOK_SECONDS = 0.02


class NotAppliedYet(RetryLater):
    """A projection has not reached the position that the reader asked for."""

    code = "not-applied-yet"


class BudgetParked(RetryLater):
    """The budget waits for a fix: an event of it could not be applied."""

    code = "budget-parked"
    retry_after = 60


@dataclass(frozen=True, eq=False)
class _Reader:
    """One reader that waits for a budget's position in some projections."""

    budget: str
    position: int
    names: tuple[str, ...]
    answer: asyncio.Future[int]

    def look(self, place: Any, applied: dict[str, int], parked: dict[tuple[str, str], int]) -> None:
        """Answer if it can be answered now."""
        if self.answer.done():
            return
        if not place["open"]:
            self.fail(NotFound("unknown-budget", f"no budget {self.budget} is open",
                               budget=self.budget))  # fmt: skip
        elif place["sequence"] is not None:
            sequence: int = place["sequence"]
            waits = [parked.get((name, self.budget), sequence) < sequence for name in self.names]
            if any(waits):
                self.fail(BudgetParked(f"{self.budget} waits for a fix", budget=self.budget))
            elif all(applied.get(name, 0) >= sequence for name in self.names):
                self.answer.set_result(sequence)

    def fail(self, error: LedgerError) -> None:
        """Answer with an error."""
        self.answer.set_exception(error)


class Waiting:
    """The readers that wait, and the one task that looks for them."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self.database = database
        self.moved = asyncio.Event()
        self._readers: list[_Reader] = []
        self._task: asyncio.Task[None] | None = None

    async def wait(
        self, budget: str, position: int, names: tuple[str, ...], timeout_seconds: float
    ) -> int:
        """Return the sequence of a position once it is applied.

        Raises `NotFound` for an unknown budget, `NotAppliedYet` after the time, `BudgetParked`.
        """
        reader = _Reader(budget, position, names, asyncio.get_running_loop().create_future())
        self._readers.append(reader)
        self.moved.set()
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

    async def stop(self) -> None:
        """End the task; readers that still wait run into their time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        """Look as long as somebody waits; a reader gets the error of a failed look."""
        while self._readers:
            self.moved.clear()
            readers = list(self._readers)
            try:
                await self._look(readers)
            except Exception as error:  # noqa: BLE001 - the readers are told, nothing is hidden
                for reader in readers:
                    if not reader.answer.done():
                        reader.answer.set_exception(error)
            self._readers = [reader for reader in self._readers if not reader.answer.done()]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):  # wait_for may swallow a cancel (3.11)
                    await self.moved.wait()

    async def _look(self, readers: list[_Reader]) -> None:
        """Answer every reader that can be answered now."""
        async with self.database.connect("reader") as connection:
            places = await connection.fetch(
                sql("", "places"), [r.budget for r in readers], [r.position for r in readers]
            )
            applied = {r["name"]: r["sequence"] for r in await connection.fetch(sql("", "applied"))}
            rows = await connection.fetch(sql("", "parked"))  # after `applied`: parking moves both
        parked = {(row["name"], row["budget"]): row["applied"] for row in rows}
        for reader, place in zip(readers, places, strict=True):
            reader.look(place, applied, parked)
