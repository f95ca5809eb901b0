"""`make soak SECONDS=3600`: random faults under load for as long as told, then a report.

Each round is a fresh copy of a founded ledger behind a real service, some faults drawn by dice,
and the law of nothing lost at its end. The first loss ends the run, keeps the round's home and
prints the seed of the round.
"""

import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import asyncpg

from tests.faults.journal import load
from tests.faults.serving import Served, copy_home, found_home
from tests.faults.traffic import SEED, traffic
from tests.store.world import BUDGETS

REPORT = Path("var/soak")
FAULTS_A_ROUND = (2, 5)
ACKED_BETWEEN = (10, 60)
TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def _end_backends(served: Served) -> None:
    """End every session of the database."""
    connection = await asyncpg.connect(served.dsn)
    served.fired += bool(await connection.fetchval(TERMINATE))
    await connection.close()


async def _hold_a_head(served: Served) -> None:
    """Lock a head for a moment."""
    connection = await asyncpg.connect(served.dsn)
    async with connection.transaction():
        await connection.execute(
            f"SELECT 1 FROM ledger.heads WHERE code = '{[*BUDGETS][1]}' FOR UPDATE"
        )
        await asyncio.sleep(0.5)
    served.fired += 1
    await connection.close()


async def _stop(served: Served) -> None:
    """SIGTERM, and start again."""
    served.service.process.terminate()
    served.fired += 1
    assert await served.ended() == 0
    await served.start()


FAULTS: dict[str, Callable[[Served], object]] = {
    "service killed": Served.kill_service,
    "server killed": Served.kill_server,
    "server stopped at once": lambda served: served.kill_server(signal.SIGQUIT),
    "both killed": Served.kill_both,
    "service stopped": _stop,
    "sessions ended": _end_backends,
    "head held": _hold_a_head,
}


class Soak:
    """The counts of a run."""

    def __init__(self, seconds: float, folder: Path) -> None:
        self.until, self.folder = time.monotonic() + seconds, folder
        self.started = time.time()
        self.counts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    async def run(self, founded: Path) -> None:
        """Play rounds until the time is over."""
        number = 0
        while time.monotonic() < self.until:
            number += 1
            home = self.folder / f"round-{number}" / "home"
            served = copy_home(founded, home)
            try:
                await self.play(served, f"{SEED} round {number}")
            except BaseException:
                sys.stderr.write(f"\nQAZYNA_SEED={SEED} round {number} fails; kept: {home}\n")
                raise
            shutil.rmtree(home.parent)
            self.tell(number)

    async def play(self, served: Served, seed: str) -> None:
        """One round: load, faults between acknowledged commands, the law."""
        chance, stop = random.Random(seed), asyncio.Event()
        await served.begin()
        documents = traffic(random.Random(f"{seed} traffic"))
        work = asyncio.create_task(
            load(served.client, documents, stop, workers=6, batch=chance.choice((1, 1, 4)))
        )
        try:
            for _ in range(chance.randint(*FAULTS_A_ROUND)):
                wanted = served.client.count("acked") + chance.randint(*ACKED_BETWEEN)
                await served.client.reached(wanted, 120)
                name = chance.choice([*FAULTS])
                await FAULTS[name](served)
                self.faults[name] += 1
            await served.client.reached(served.client.count("acked") + 1, 120)
            stop.set()
            await work
            verdict = await served.judge()
        finally:
            stop.set()
            work.cancel()
            await served.close(signal.SIGTERM)
        self.counts.update(verdict.outcomes)
        self.counts.update(events=verdict.events, fired=verdict.fired, lost=verdict.lost, rounds=1)

    def report(self) -> dict[str, object]:
        """What was counted."""
        names = ("rounds", "events", "acked", "refused", "unknown", "untaken", "fired", "lost")
        return {
            "seed": SEED, "started": time.strftime("%FT%TZ", time.gmtime(self.started)),
            "seconds": round(time.time() - self.started),
            **{name: self.counts[name] for name in names}, "faults": dict(self.faults),
        }  # fmt: skip

    def tell(self, number: int) -> None:
        """Print the counts so far and leave them in the report."""
        REPORT.mkdir(parents=True, exist_ok=True)
        (REPORT / "report.json").write_text(json.dumps(self.report(), indent=1) + "\n")
        shown = {"acked": "acknowledged", "fired": "faults fired"}
        names = ("acked", "unknown", "untaken", "refused", "events", "fired")
        counts = ", ".join(f"{shown.get(name, name)} {self.counts[name]}" for name in names)
        sys.stdout.write(f"round {number}: {counts}, lost: {self.counts['lost']}\n")
        sys.stdout.flush()


def main(seconds: str = "3600") -> None:
    """Soak for so many seconds."""
    sys.stdout.write(f"QAZYNA_SEED={SEED}\n")
    folder = Path(tempfile.mkdtemp(prefix="qazyna-soak-"))
    found_home(folder / "founded" / "home")
    soak = Soak(float(seconds), folder)
    asyncio.run(soak.run(folder / "founded" / "home"))
    shutil.rmtree(folder)
    sys.stdout.write(json.dumps(soak.report()) + f"\nreport: {REPORT / 'report.json'}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
