"""T12: how fast the notary makes the tree, how old its newest checkpoint gets, what it costs."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

from ledger.proofs.tiles import TileTree
from ledger.proofs.verify import leaf_hash
from ledger.service import Ledger
from ledger.store.evidence import LEAVES_MAX, Evidence
from ledger.store.keys import Keys
from ledger.store.notary import PAGE, Notary
from tests.bench.country import Country, documents, read_all
from tests.bench.driving import Drive, drive
from tests.bench.ground import Ground, clock
from tests.bench.table import Row, quantile
from tests.store.world import sequenced

CALLERS, LOOK_SECONDS = 256, 0.02


@asynccontextmanager
async def _notary(ledger: Ledger, folder: str) -> AsyncIterator[Evidence]:
    """A notary beside the ledger, in the same process as in the service."""
    notary = Notary(ledger.database, clock, Keys(Path(folder) / "notary.key"))
    await notary.start()
    try:
        yield Evidence(ledger.database)
    finally:
        await notary.stop()


async def _covered(evidence: Evidence, size: int) -> None:
    """Wait for a checkpoint of so many events."""
    async with asyncio.timeout(600):
        while True:
            head = await evidence.checkpoint()
            if head is not None and head.size >= size:
                return
            await asyncio.sleep(LOOK_SECONDS)


async def _waits(
    ledger: Ledger, evidence: Evidence, seen: list[float], ended: asyncio.Event
) -> None:
    """Note how long each last sequence that is seen waits for a checkpoint over it, in seconds."""
    waiting: list[tuple[int, float]] = []
    while not ended.is_set():
        now, last = time.perf_counter(), ledger.sequencer.last_sequence
        if not waiting or waiting[-1][0] < last:
            waiting.append((last, now))
        head = await evidence.checkpoint()
        size, now = head.size if head else 0, time.perf_counter()
        while waiting and waiting[0][0] <= size:
            seen.append(now - waiting.pop(0)[1])
        await asyncio.sleep(LOOK_SECONDS)


def _merkle(leaves: list[bytes]) -> float:
    """Leaves a second into a tree and its tiles, in memory, on one core."""
    began = time.perf_counter()
    tree = TileTree()
    for at in range(0, len(leaves), PAGE):
        tree.extend(b"".join(map(leaf_hash, leaves[at : at + PAGE])))
        tree.take_full()
    if not tree.root:
        raise RuntimeError("no root")
    return len(leaves) / (time.perf_counter() - began)


async def _driven(ledger: Ledger, country: Country, many: int, seed: int) -> Drive:
    """One round of postings from many callers."""
    return await drive(ledger, read_all(ledger, documents(country, many, seed)), CALLERS)


async def t12(ground: Ground) -> list[Row]:
    """The whole tree from nothing; then rounds with and without the notary, in turn."""
    with_it, without, waits = [], [], []
    async with ground.history() as (dsn, country), Ledger(dsn, clock=clock) as ledger:
        total = await sequenced(ledger, 120)
        with tempfile.TemporaryDirectory(prefix="qazyna-bench-keys-") as folder:
            began = time.perf_counter()
            async with _notary(ledger, folder) as evidence:
                await _covered(evidence, total)
                notarised = total / (time.perf_counter() - began)
                merkle = _merkle(await evidence.leaves(1, min(total, LEAVES_MAX)))
            await _driven(ledger, country, ground.events // 2, 500)
            for n in range(2 * ground.rounds):
                without.append(await _driven(ledger, country, ground.events, 600 + 2 * n))
                await sequenced(ledger, 120)
                async with _notary(ledger, folder) as evidence:
                    await _covered(evidence, await sequenced(ledger, 120))
                    ended = asyncio.Event()
                    looking = asyncio.create_task(_waits(ledger, evidence, waits, ended))
                    with_it.append(await _driven(ledger, country, ground.events, 601 + 2 * n))
                    ended.set()
                    await looking
                    await sequenced(ledger, 120)
    rate = median(one.rate for one in without)
    return [
        Row(id="T12", quantity="leaves into tree and tiles ÷ append", unit="leaves/s", ours=merkle,
            limit=rate, ratio=merkle / rate, must=20, aim=30),
        Row(id="T12", quantity=f"  {total} stored events read, hashed, signed ÷ append",
            unit="leaves/s", ours=notarised, limit=rate, ratio=notarised / rate),
        Row(id="T12", quantity="  sequenced → under a checkpoint, full load, p99", unit="s",
            ours=quantile(waits, 0.99), absolute=True, less=True, must=1, aim=0.2),
        Row(id="T12", quantity=f"  append with the notary ÷ without, {CALLERS} callers",
            unit="events/s", ours=median(one.rate for one in with_it), limit=rate,
            ratio=median(a.rate / b.rate for a, b in zip(with_it, without, strict=True)),
            must=0.9, aim=0.95),
    ]  # fmt: skip
