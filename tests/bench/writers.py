"""T8: several writer processes on the same budgets, or on budgets of their own, ÷ one.

`python -m tests.bench.writers DSN BUDGETS REGIONS COUNT CALLERS OWNER OWNERS` is one of the
processes, on every OWNERS-th region from OWNER on: for each seed that it reads as a line it
prepares a round, says so, and posts at the next line.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import uvloop

from api.cli.serving import GARBAGE
from ledger.service import Ledger
from tests.bench.appending import CALLERS
from tests.bench.country import Country, documents, lay_out, read_all
from tests.bench.driving import drive
from tests.bench.ground import Ground, clock
from tests.bench.serving import ROOT, environment
from tests.bench.table import Row, compared

WRITERS = 3
OWNERS = 2
REGIONS = 20


async def _write(
    dsn: str, budgets: int, regions: int, count: int, callers: int, owner: int, owners: int
) -> None:
    """Be one writer until the end of the input."""
    every, loop = lay_out(budgets, regions), asyncio.get_running_loop()
    country = Country({region: codes for region, codes in every.regions.items()
                       if region % owners == owner})  # fmt: skip
    async with Ledger(dsn, clock=clock) as ledger:
        while seed := await loop.run_in_executor(None, sys.stdin.readline):
            asked = read_all(ledger, documents(country, count, int(seed)))
            print("prepared", flush=True)
            await loop.run_in_executor(None, sys.stdin.readline)
            driven = await drive(ledger, asked, callers)
            print(json.dumps({"events": driven.events}), flush=True)


class Writers:
    """So many writer processes on one database, with `CALLERS` callers in all."""

    def __init__(self, processes: list[Any]) -> None:
        """Take the processes."""
        self._processes = processes

    async def _say(self, lines: list[str]) -> list[bytes]:
        """Say a line to each; return what each answers."""
        for process, line in zip(self._processes, lines, strict=True):
            process.stdin.write(f"{line}\n".encode())
        answers = await asyncio.gather(*(process.stdout.readline() for process in self._processes))
        if not all(answers):
            raise RuntimeError("a writer process ended")
        return answers

    async def rate(self, seed: int) -> float:
        """Events a second from the common start until the last writer is done."""
        await self._say([str(1000 * seed + n) for n in range(len(self._processes))])
        began = time.perf_counter()
        answers = await self._say(["go"] * len(self._processes))
        seconds = time.perf_counter() - began
        return sum(json.loads(answer)["events"] for answer in answers) / seconds


@asynccontextmanager
async def writers(
    dsn: str, many: int, ground: Ground, *, owners: int = 1
) -> AsyncIterator[Writers]:
    """Run writer processes that share `ground.events` commands a round and the callers.

    With as many `owners` as processes each has regions of its own.
    """
    processes: list[Any] = []
    try:
        processes += [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.writers", dsn, str(ground.budgets),
                str(REGIONS), str(ground.events // many), str(CALLERS // many),
                str(number % owners), str(owners),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                env=environment(dsn), cwd=ROOT,
            ) for number in range(many)
        ]  # fmt: skip
        yield Writers(processes)
    finally:
        for process in processes:
            process.stdin.close()
        for process in processes:
            await process.wait()


async def t8(ground: Ground) -> list[Row]:
    """Three writer processes ÷ one, 256 callers in all, on databases of their own in turns.

    All are processes of their own, so that this one costs none anything; the first round of
    each only warms. Two processes with regions of their own show what it would bring on this
    machine to route a budget's commands to one process.
    """
    async with AsyncExitStack() as stack:
        started = []
        for many, owners in ((WRITERS, 1), (OWNERS, OWNERS), (1, 1)):
            dsn, _ = await stack.enter_async_context(ground.country(REGIONS))
            started.append(
                await stack.enter_async_context(writers(dsn, many, ground, owners=owners))
            )
        rounds = [[await each.rate(n) for each in started] for n in range(1, ground.rounds + 2)]
    same, own = ([(found[place], found[-1]) for found in rounds[1:]] for place in (0, 1))
    name = f"{WRITERS} writer processes on the same {ground.budgets} budgets ÷ 1, {CALLERS} callers"
    return [
        compared("T8", name, "events/s", same, must=0.6, aim=0.95),
        compared("T8", f"  {OWNERS} writer processes, each on regions of its own ÷ 1", "events/s",
                 own),
    ]  # fmt: skip


if __name__ == "__main__":
    gc.set_threshold(*GARBAGE)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_write(sys.argv[1], *map(int, sys.argv[2:])))
