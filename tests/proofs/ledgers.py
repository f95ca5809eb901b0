"""Live ledgers for the tests of the notary: databases, keys, and what must hold at the end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from ledger.proofs.leaf import Leaf
from ledger.proofs.merkle import Tree, consistency_proof, root_of
from ledger.proofs.notes import write_consistency
from ledger.proofs.verify import CONSISTENCY, Checkpoint, Trust, join, read_proof
from ledger.service import Ledger
from ledger.store.evidence import Evidence, SignedHead
from ledger.store.keys import Keys
from ledger.store.notary import Notary
from tests.store.world import Clock, query, submit


@asynccontextmanager
async def notarised(dsn: str, keys: Keys, **more) -> AsyncIterator[tuple[Ledger, Notary]]:
    """A ledger whose events are sequenced and notarised."""
    async with Ledger(dsn, clock=more.pop("clock", None) or Clock()) as ledger:
        notary = Notary(ledger.database, ledger.clock, keys, **more)
        await notary.start()
        try:
            yield ledger, notary
        finally:
            await notary.stop()


async def covered(ledger: Ledger, seconds: float = 60) -> SignedHead:
    """Wait for a checkpoint of everything that is committed."""
    [row] = await query(ledger.database.dsn, "SELECT sum(position)::bigint AS n FROM ledger.heads")
    evidence = Evidence(ledger.database)
    async with asyncio.timeout(seconds):
        while True:
            head = await evidence.checkpoint()
            if head is not None and head.size >= row["n"]:
                return head
            await asyncio.sleep(0.02)


async def refusal(notary: Notary, code: str) -> None:
    """Wait until the notary refuses to sign for this reason."""
    async with asyncio.timeout(60):
        while True:
            if notary.refused is not None and notary.refused.code == code:
                return
            await asyncio.sleep(0.02)


async def posted(ledger: Ledger, *documents) -> None:
    """Post what must be accepted."""
    for answer in await submit(ledger, *documents):
        assert answer.status == "accepted", answer


async def leaves_of(dsn: str) -> list[bytes]:
    """Every event's envelope, encoded by the library and not by the database."""
    rows = await query(dsn, """
        SELECT h.code, s.position, e.kind, e.recorded_at, e.hash, e.body
        FROM ledger.sequences AS s
        INNER JOIN ledger.heads AS h ON h.region = s.region AND h.log = s.log
        INNER JOIN ledger.events AS e ON e.region = s.region AND e.log = s.log
            AND e.position = s.position AND e.year = h.year
        ORDER BY s.sequence""")  # fmt: skip
    return [
        Leaf(log=row["code"], position=row["position"], kind=row["kind"],
             recorded_at=row["recorded_at"], chain=row["hash"],
             body=sha256(row["body"]).digest()).encode()
        for row in rows
    ]  # fmt: skip


async def assert_one_history(dsn: str, keys: Keys, *more: bytes) -> list[Checkpoint]:
    """Every note that was ever published or kept is signed, and of one growing tree of the events.

    `more` are notes that were seen outside. Returns the heads by size.
    """
    rows = await query(dsn, "SELECT note FROM ledger.checkpoints ORDER BY size")
    trust = Trust(tuple(keys.public()), keys.origin)
    notes = {*(row["note"] for row in rows), *more}
    with contextlib.suppress(FileNotFoundError):
        notes.add(keys.kept_path.read_bytes())
    heads = sorted((trust.open(note) for note in notes), key=lambda head: head.size)
    tree = Tree(await leaves_of(dsn))
    for old, new in pairwise(heads):
        proof = consistency_proof(old.size, new.size, tree)
        paper = read_proof(write_consistency(old.size, proof, new.raw), CONSISTENCY)
        join(old, new, paper)
    assert all(root_of(head.size, tree) == head.root for head in heads)
    return heads


def fresh_keys(folder: Path) -> Keys:
    """Keys in a folder of their own."""
    return Keys(folder / "notary.key")
