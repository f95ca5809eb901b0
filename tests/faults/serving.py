"""A real `qazyna serve` that tests kill and start again, and a journal-keeping client of it."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import httpx

from ledger.store.embedded import EmbeddedPostgres
from tests.cli.program import Service
from tests.faults.dying import ARMED, IMPATIENT
from tests.faults.journal import OverHttp
from tests.faults.nothing_lost import nothing_lost
from tests.faults.points import arm
from tests.faults.stored import Stored, stored
from tests.faults.traffic import small_contracts
from tests.store.world import BUDGETS, opening, setting_up

CLOCK = "2025-03-10T10:00:00+05:00"


def found_home(home: Path) -> None:
    """Found the five budgets of `tests.store.world` through a service of their own."""
    service = _start(home)
    documents = [one for code, (region, level) in BUDGETS.items()
                 for one in (opening(code, region, level), *setting_up(code, level))]  # fmt: skip
    for document in documents + small_contracts():
        answer = httpx.post(f"{service.url}/v1/commands", json=document, trust_env=False)
        assert answer.status_code == 201, answer.text
    assert service.end(signal.SIGTERM) == 0


def _start(home: Path, *, impatient: bool = False) -> Service:
    """Start a service; what it logs goes to a file, so that no pipe can fill up."""
    home.parent.mkdir(parents=True, exist_ok=True)
    changed = {"QAZYNA_CLOCK": CLOCK, ARMED: str(home.parent / "armed")}
    if impatient:
        changed[IMPATIENT] = "yes"
    with (home.parent / "service.log").open("a") as log:
        return Service(home, log=log, module="tests.faults.dying", **changed)


class Served:
    """A service on one home, its client, and the law at the end."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.dsn = EmbeddedPostgres(home).dsn()
        self.client = OverHttp(lambda: self.service.url)
        self.earlier = Stored([])
        self.fired = 0
        self.impatient = False

    async def begin(self) -> None:
        """Start the service and remember what is stored."""
        await self.start()
        self.earlier = await stored(self.dsn)

    async def start(self) -> None:
        """Start the service, after the former one was killed or stopped."""
        self.service = await asyncio.to_thread(_start, self.home, impatient=self.impatient)

    async def close(self, how: int) -> None:
        """End the service."""
        await self.client.close()
        if self.service.process.poll() is None:
            await asyncio.to_thread(self.service.end, how)

    @property
    def postmaster(self) -> int:
        """Process id of the database server, 0 while there is none."""
        try:
            lines = (self.home / "pgdata" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return 0
        return int(lines[0]) if "ready" in "".join(lines[7:]) else 0

    async def ended(self) -> int:
        """Wait for the end of a service that was told to stop; return its exit code."""
        await asyncio.to_thread(self.service.process.communicate, timeout=60)
        return self.service.process.returncode

    async def kill_service(self) -> None:
        """SIGKILL the service at once and start it again."""
        self.service.process.kill()
        self.fired += 1
        await self.ended()
        await self.start()

    async def kill_server(self, how: int = signal.SIGKILL) -> None:
        """End the database server without a word; the service starts it again by itself."""
        before = self.postmaster
        os.kill(before, how)
        self.fired += 1
        async with asyncio.timeout(90):
            while self.postmaster in (0, before):  # noqa: ASYNC110 - a file, not an event
                await asyncio.sleep(0.05)

    async def kill_both(self) -> None:
        """End the database server and the service in one moment, and start again."""
        os.kill(self.postmaster, signal.SIGKILL)
        await self.kill_service()

    def arm(self, point: str) -> None:
        """Name the point at which the service dies the next time it comes there."""
        arm(self.home.parent / "armed", point)

    async def died(self) -> None:
        """Wait until the armed point was reached, and start again."""
        async with asyncio.timeout(60):
            assert await self.ended() == -signal.SIGKILL
        assert not (self.home.parent / "armed").exists()
        self.fired += 1
        await self.start()

    async def judge(self) -> object:
        """The law of nothing lost over the client's journal."""
        again = OverHttp(lambda: self.service.url)
        try:
            return await nothing_lost(self.dsn, self.client.journal, retry=again.ask,
                                      fired=self.fired, earlier=self.earlier)  # fmt: skip
        finally:
            await again.close()


def copy_home(founded: Path, home: Path) -> Served:
    """A service over a copy of a founded home; it is not started yet."""
    shutil.copytree(founded, home)
    return Served(home)
