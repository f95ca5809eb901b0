"""`make soak SECONDS=3600`: faults of every kind under load for as long as told, then a report.

Each round is a fresh copy of a founded ledger behind a real service, some faults of a deck that
the seed has shuffled, and the law of nothing lost at its end. The first loss ends the run, keeps
the round's home and prints the seed of the round.
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
from contextlib import nullcontext
from pathlib import Path

from tests.faults.full_disk import small_disk
from tests.faults.journal import load
from tests.faults.kinds import IMPATIENT, KINDS, NEEDS_SMALL_DISK
from tests.faults.serving import Served, copy_home, found_home
from tests.faults.traffic import SEED, traffic

REPORT = Path("var/soak")
FAULTS_A_ROUND = 3
ACKED_BETWEEN = (10, 60)
WAIT_SECONDS = 120


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
            place = self.folder / f"round-{number}"
            names = drawn(number)
            with small_disk(place) if NEEDS_SMALL_DISK in names else nullcontext() as mounted:
                if not mounted:
                    names = [name for name in names if name != NEEDS_SMALL_DISK]
                served = copy_home(founded, place / "home")
                try:
                    await self.play(served, f"{SEED} round {number}", names)
                except BaseException:
                    kept = self.folder / "kept"
                    shutil.copytree(place, kept, ignore=shutil.ignore_patterns(".s.*"))
                    sys.stderr.write(f"\nQAZYNA_SEED={SEED} round {number} fails; kept: {kept}\n")
                    raise
            shutil.rmtree(place)
            self.tell(number)

    async def play(self, served: Served, seed: str, names: list[str]) -> None:
        """One round: load, faults between acknowledged commands, the law."""
        chance, stop, client = random.Random(seed), asyncio.Event(), served.client
        served.impatient = any(name in IMPATIENT for name in names)
        await served.begin()
        documents = traffic(random.Random(f"{seed} traffic"))
        work = asyncio.create_task(
            load(client, documents, stop, workers=6, batch=chance.choice((1, 1, 4)))
        )
        try:
            for name in names:
                wanted = client.count("acked") + chance.randint(*ACKED_BETWEEN)
                await client.reached(wanted, WAIT_SECONDS)
                fired = served.fired
                await KINDS[name](served, chance)
                assert served.fired > fired, f"{name} never fired"
                self.faults[name] += 1
            await client.reached(client.count("acked") + 1, WAIT_SECONDS)
            stop.set()
            await work
            verdict = await served.judge()
        finally:
            stop.set()
            work.cancel()
            await served.close(signal.SIGTERM)
        self.counts.update(verdict.outcomes)
        self.counts.update(
            events=verdict.events, fired=verdict.fired, lost=verdict.lost, rounds=1,
            replayed=sum(bool(one.replayed) for one in client.journal),
        )  # fmt: skip

    def report(self) -> dict[str, object]:
        """What was counted; a kind of fault that never came counts 0."""
        return {
            "seed": SEED, "started": time.strftime("%FT%TZ", time.gmtime(self.started)),
            "seconds": round(time.time() - self.started),
            **{shown: self.counts[name] for name, shown in COUNTED.items()},
            "faults": {name: self.faults[name] for name in KINDS},
        }  # fmt: skip

    def tell(self, number: int) -> None:
        """Print the counts so far and leave them in the report."""
        REPORT.mkdir(parents=True, exist_ok=True)
        (REPORT / "report.json").write_text(json.dumps(self.report(), indent=1) + "\n")
        counts = ", ".join(f"{shown} {self.counts[name]}" for name, shown in COUNTED.items()
                           if name not in ("rounds", "lost"))  # fmt: skip
        sys.stdout.write(f"round {number}: {counts}, lost: {self.counts['lost']}\n")
        sys.stdout.flush()


COUNTED = {
    "rounds": "rounds", "events": "events", "acked": "acknowledged", "refused": "refused",
    "unknown": "unknown", "untaken": "untaken", "replayed": "replayed", "fired": "faults fired",
    "lost": "lost",
}  # fmt: skip


def drawn(number: int) -> list[str]:
    """The kinds of faults of a round: every kind comes before one comes again."""
    place, names = (number - 1) * FAULTS_A_ROUND, []
    while len(names) < FAULTS_A_ROUND:
        deck = [*KINDS]
        random.Random(f"{SEED} deck {place // len(deck)}").shuffle(deck)
        names.append(deck[place % len(deck)])
        place += 1
    return names


def main(seconds: str = "3600") -> None:
    """Soak for so many seconds."""
    sys.stdout.write(f"QAZYNA_SEED={SEED}\n")
    folder = Path(tempfile.mkdtemp(prefix="qazyna-soak-"))
    found_home(folder / "founded" / "home")
    soak = Soak(float(seconds), folder)
    asyncio.run(soak.run(folder / "founded" / "home"))
    shutil.rmtree(folder)
    for name, count in soak.faults.items():
        sys.stdout.write(f"{name}: {count}\n")
    sys.stdout.write(json.dumps(soak.report()) + f"\nreport: {REPORT / 'report.json'}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
