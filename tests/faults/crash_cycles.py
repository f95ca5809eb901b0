"""`python -m tests.faults.crash_cycles 50`: so many crashes under load, and what each one harmed.

A cycle is load, a crash (SIGKILL of the service, SIGKILL of PostgreSQL, its immediate stop, in
turn), and a count over everything stored when the ledger answers again. Every few cycles begin
on a fresh ledger and end with the law of nothing lost.
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
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.journal import SETTLED, Entry, load
from tests.faults.serving import Served, copy_home, found_home
from tests.faults.stored import Stored, chain, stored
from tests.faults.traffic import SEED, traffic

CRASHES: dict[str, Callable[[Served], Awaitable[None]]] = {
    "service killed": Served.kill_service,
    "server killed": Served.kill_server,
    "server stopped at once": lambda served: served.kill_server(signal.SIGQUIT),
}
HARMS = ("lost", "gaps", "chain_breaks", "half_transfers")
CYCLES_A_LEDGER = 12
ACKED_BETWEEN = (10, 40)
WORKERS = 6


@dataclass(kw_only=True)
class Report:
    """What a run counted; `harmed` are the cycles after which any harm was found."""

    wanted: int
    cycles: int = 0
    harmed: int = 0
    events: int = 0
    seconds: float = 0.0
    crashes: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    harms: Counter[str] = field(default_factory=Counter)

    def plain(self) -> dict[str, Any]:
        """The counts as JSON."""
        return {
            "seed": SEED, "cycles": self.cycles, "harmed": self.harmed,
            **{name: self.harms[name] for name in HARMS}, "events": self.events,
            "acknowledged": self.outcomes["acked"], "refused": self.outcomes["refused"],
            "unknown": self.outcomes["unknown"], "untaken": self.outcomes["untaken"],
            "crashes": dict(self.crashes), "seconds": round(self.seconds),
        }  # fmt: skip

    def __str__(self) -> str:
        """The counts as one line."""
        told = ", ".join(f"{name.replace('_', ' ')} {self.harms[name]}" for name in HARMS)
        return (f"{self.cycles} crash cycles, harmed {self.harmed}: {told}; "
                f"acknowledged {self.outcomes['acked']}, unknown {self.outcomes['unknown']}, "
                f"events {self.events}")  # fmt: skip


def harms(log: Stored, entries: Iterable[Entry]) -> Counter[str]:
    """Count what a crash may not do: points 1, 3 and 4 of the law as numbers.

    Lost: an answer that named a place where its command does not stand.
    """
    found: Counter[str] = Counter()
    for one in entries:
        if one.outcome in SETTLED:
            row = log.at.get((one.document["budget"], one.position))
            found["lost"] += row is None or row.command_id != one.command_id
    for code, hashes in log.chains.items():
        rows = [row for row in log.rows if row.code == code]
        found["gaps"] += sum(row.position != place for place, row in enumerate(rows, 1))
        computed = chain(code, (row.body for row in rows))
        found["chain_breaks"] += sum(a != b for a, b in zip(computed, hashes, strict=True))
    for [first, *_] in log.firsts.values():
        sides = {row.code for row in log.events[first.command_id]}
        found["half_transfers"] += first.refusal is None and sides != {*first.asked.budgets()}
    return found


async def crash_cycles(
    count: int, *, tell: Callable[[Report], None] = lambda _: None, seed: int = SEED
) -> Report:
    """Run so many cycles on ledgers of a temporary folder; return the counts.

    A run without harm also kept the whole law, or it raises AssertionError and keeps the folder.
    """
    folder, started = Path(tempfile.mkdtemp(prefix="qazyna-crash-")), time.monotonic()
    founded, report = folder / "founded" / "home", Report(wanted=count)
    await asyncio.to_thread(found_home, founded)
    for number, first in enumerate(range(0, count, CYCLES_A_LEDGER), 1):
        served = copy_home(founded, folder / f"ledger-{number}" / "home")
        last = min(first + CYCLES_A_LEDGER, count)
        try:
            await _cycles(served, range(first, last), report, f"{seed} ledger {number}", tell)
        finally:
            report.seconds = time.monotonic() - started
            await served.close(signal.SIGTERM)
        shutil.rmtree(served.home.parent)
    shutil.rmtree(folder)
    return report


async def _cycles(
    served: Served, numbers: range, report: Report, seed: str, tell: Callable[[Report], None]
) -> None:
    """Crash one ledger some times under load that never pauses, then judge it by the law."""
    chance, stop, client = random.Random(seed), asyncio.Event(), served.client
    await served.begin()
    documents = traffic(random.Random(f"{seed} traffic"))
    work = asyncio.create_task(load(client, documents, stop, workers=WORKERS))
    try:
        for number in numbers:
            await client.reached(client.count("acked") + chance.randint(*ACKED_BETWEEN), 120)
            name = [*CRASHES][number % len(CRASHES)]
            await CRASHES[name](served)
            await client.reached(client.count("acked") + 1, 120)
            told = [*client.journal]  # before the look: what is told later may be stored later
            found = harms(await stored(served.dsn), told)
            report.harms += found
            report.harmed += found.total() > 0
            report.crashes[name] += 1
            report.cycles += 1
            tell(report)
    finally:
        stop.set()
        await work
    if report.harmed:
        return  # it is counted; the law would only say it again
    verdict = await served.judge()
    report.outcomes += verdict.outcomes
    report.events += verdict.events


def main(count: str = "50") -> None:
    """Run, print the counts, and fail where a cycle harmed something."""
    sys.stdout.write(f"QAZYNA_SEED={SEED}\n")

    def tell(so_far: Report) -> None:
        if so_far.cycles % CYCLES_A_LEDGER == 0:
            sys.stderr.write(f"{so_far.cycles} of {so_far.wanted}, harmed {so_far.harmed}\n")

    report = asyncio.run(crash_cycles(int(count), tell=tell))
    sys.stdout.write(f"{report}\n{json.dumps(report.plain())}\n")
    if report.harmed:
        raise SystemExit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
