"""Callers that post commands one by one, and what they saw."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.events import Command
from ledger.service import Ledger


@dataclass
class Drive:
    """Events written, wall seconds, and the latency of each command in seconds."""

    events: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def postings(self) -> float:
        """Commands a second."""
        return len(self.latencies) / self.seconds


async def drive(ledger: Ledger, commands: Sequence[Command], callers: int) -> Drive:
    """Let callers post all commands, each waiting for its answer; all must be accepted."""
    found, left = Drive(), iter(commands)

    async def caller() -> None:
        for asked in left:
            began = time.perf_counter()
            [answer] = await ledger.submit([asked])
            found.latencies.append(time.perf_counter() - began)
            if getattr(answer, "status", None) != "accepted":
                raise RuntimeError(f"{asked.name} on {asked.budget}: {answer!r}")
            found.events += answer.events

    gc.collect()
    gc.freeze()  # the prepared commands are the bench's, not the ledger's garbage
    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(callers):
            tasks.create_task(caller())
    found.seconds = time.perf_counter() - began
    gc.unfreeze()
    return found


async def paced(
    ledger: Ledger, commands: Sequence[Command], rate: float, until: asyncio.Event | None = None
) -> Drive:
    """Post commands at a steady rate, without waiting for answers between them."""
    found, began = Drive(), time.perf_counter()

    async def one(asked: Command) -> None:
        sent = time.perf_counter()
        [answer] = await ledger.submit([asked])
        found.latencies.append(time.perf_counter() - sent)
        found.events += answer.events

    async with asyncio.TaskGroup() as tasks:
        for n, asked in enumerate(commands):
            wait = began + n / rate - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            if until is not None and until.is_set():
                break
            tasks.create_task(one(asked))
    found.seconds = time.perf_counter() - began
    return found
