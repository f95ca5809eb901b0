"""T8: several writer processes on the same budgets ÷ one.

`python -m tests.bench.writers DSN BUDGETS REGIONS COUNT CALLERS` is one of the processes: for
each seed that it reads as a line it prepares a round, says so, and posts at the next line.
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
from tests.bench.country import documents, lay_out, read_all
from tests.bench.driving import drive
from tests.bench.ground import Ground, clock
from tests.bench.serving import ROOT, environment
from tests.bench.table import Row, compared

WRITERS = 3
REGIONS = 20


async def _write(dsn: str, budgets: int, regions: int, count: int, callers: int) -> None:
    """Be one writer until the end of the input."""
    country, loop = lay_out(budgets, regions), asyncio.get_running_loop()
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
async def writers(dsn: str, many: int, ground: Ground) -> AsyncIterator[Writers]:
    """Run writer processes that share `ground.events` commands a round and the callers."""
    processes: list[Any] = []
    try:
        processes += [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.writers", dsn, str(ground.budgets),
                str(REGIONS), str(ground.events // many), str(CALLERS // many),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                env=environment(dsn), cwd=ROOT,
            ) for _ in range(many)
        ]  # fmt: skip
        yield Writers(processes)
    finally:
        for process in processes:
            process.stdin.close()
        for process in processes:
            await process.wait()


async def t8(ground: Ground) -> list[Row]:
    """Three writer processes ÷ one, 256 callers in all, on databases of their own in turns.

    Both are processes of their own, so that this one costs neither anything; the first round of
    each only warms.
    """
    async with AsyncExitStack() as stack:
        several, _ = await stack.enter_async_context(ground.country(REGIONS))
        single, _ = await stack.enter_async_context(ground.country(REGIONS))
        many = await stack.enter_async_context(writers(several, WRITERS, ground))
        one = await stack.enter_async_context(writers(single, 1, ground))
        rounds = [(await many.rate(n), await one.rate(n)) for n in range(1, ground.rounds + 2)]
    name = f"{WRITERS} writer processes on the same {ground.budgets} budgets ÷ 1, {CALLERS} callers"
    return [compared("T8", name, "events/s", rounds[1:], must=0.6, aim=0.95)]


if __name__ == "__main__":
    gc.set_threshold(*GARBAGE)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_write(sys.argv[1], *map(int, sys.argv[2:])))
