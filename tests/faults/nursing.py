"""Services on a database of the tests' server, forked quickly, that die where they are told to."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from ledger.store.keys import Keys
from tests.cli.program import READY, environment
from tests.faults.dying import ARMED
from tests.faults.journal import OverHttp
from tests.faults.nothing_lost import nothing_lost
from tests.faults.points import arm
from tests.faults.serving import CLOCK
from tests.faults.stored import stored
from tests.store.world import ROOT

WAIT_SECONDS = 60


class Nursery:
    """One process that forks services, one service at a time, on one database after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.armed = folder / "armed"
        self.url = ""
        self._child = 0

    async def begin(self) -> None:
        """Start the process that forks services."""
        with (self.folder / "service.log").open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.faults.dying", "--nursery", cwd=ROOT, stderr=log,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                env=environment(**{
                    "QAZYNA_CLOCK": CLOCK, "QAZYNA_HOME": str(self.folder / "home"),
                    ARMED: str(self.armed),
                }),
            )  # fmt: skip

    async def use(self, dsn: str) -> None:
        """Turn to a database: a new client, and what is stored before it begins."""
        self.dsn, self.fired = dsn, 0
        self.keys = Keys(self.folder / dsn.split("/")[3].partition("?")[0] / "notary.key")
        self.client = OverHttp(lambda: self.url)
        self.earlier = await stored(dsn)

    async def start(self) -> None:
        """Start a service; it may die before it is ready, then `ended` has come already."""
        self.url, self._ended = "", asyncio.get_running_loop().create_future()
        line = json.dumps({"DATABASE_URL": self.dsn, "QAZYNA_HOME": str(self.keys.path.parent)})
        self._process.stdin.write(line.encode() + b"\n")
        self._reading = asyncio.create_task(self._read())
        async with asyncio.timeout(WAIT_SECONDS):
            while not self.url and not self._ended.done():  # noqa: ASYNC110 - two things
                await asyncio.sleep(0.005)

    async def _read(self) -> None:
        """Read what the service and the process that forked it tell, until its end."""
        while line := (await self._process.stdout.readline()).decode():
            word, _, rest = line.strip().partition(" ")
            if found := READY.search(line):
                self.url = found[1]
            elif word == "child":
                self._child = int(rest)
            elif word == "ended":
                self._child = 0
                self._ended.set_result(int(rest))
                return

    def arm(self, point: str) -> None:
        """Name the point at which the service dies the next time it comes there."""
        arm(self.armed, point)

    async def died(self) -> None:
        """Wait until the armed point was reached; count it. Raises TimeoutError if it never is."""
        async with asyncio.timeout(WAIT_SECONDS):
            assert await self._ended == -signal.SIGKILL
        assert not self.armed.exists()
        self.fired += 1

    async def rest(self) -> None:
        """End the service of this database."""
        await self.client.close()
        if self._child:
            os.kill(self._child, signal.SIGTERM)
            await self._ended

    async def close(self) -> None:
        """End the process that forks services."""
        self._process.stdin.close()
        await self._process.wait()

    async def judge(self) -> object:
        """The law of nothing lost over the client's journal; a service must run."""
        again = OverHttp(lambda: self.url)
        try:
            return await nothing_lost(self.dsn, self.client.journal, retry=again.ask,
                                      fired=self.fired, earlier=self.earlier)  # fmt: skip
        finally:
            await again.close()
