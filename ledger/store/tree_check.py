"""What must be true of the tree: every tile, head and checkpoint is that of the stored events.

Part of `qazyna check`. What is consistent in the database and differs from what was signed is
shown by the checkpoint beside the key, and by auditors and witnesses.
"""

from __future__ import annotations

from typing import Any

from ledger.errors import Corrupt
from ledger.proofs.tiles import WIDTH, Tile, TileTree, tile_root
from ledger.proofs.verify import HASH_BYTES, Checkpoint, Note, ProofError, Trust
from ledger.store.evidence import read_checkpoint, read_hashes, root_of
from ledger.store.keys import Keys, Refused
from ledger.store.sql import sql

PAGE = 64 * WIDTH
Finding = tuple[str, str]
"""A code and what differs, with its place."""


async def check_tree(connection: Any) -> list[Finding]:
    """Compute the tree again from the events; must run inside one snapshot."""
    walk = _Walk(connection, await connection.fetchval(sql("queries/sequenced_up_to")))
    newest = 0
    async for row in connection.cursor(sql("queries/tree_heads")):
        newest = row["size"]
        await walk.to(newest)
        walk.compare(row)
    await walk.to(walk.sequence)
    await walk.check_counts()
    return walk.findings + walk.missing(newest)


async def check_kept(connection: Any, keys: Keys) -> list[Finding]:
    """Compare the ledger with the checkpoint beside the key, and verify the newest signature."""
    if not keys.exist() and not keys.kept_path.exists():
        return []
    try:
        kept, trust = keys.kept(), Trust(tuple(keys.public()), keys.origin)
        head = await read_checkpoint(connection)
        if head is not None:
            trust.open(head.note)
    except Refused as refused:
        return [(refused.code, refused.message)]
    except ProofError as error:
        return [("checkpoint-unsigned", f"the newest checkpoint: {error}")]
    if kept is None:
        return [("kept-missing", f"{keys.kept_path} is missing")] if head else []
    sequence = await connection.fetchval(sql("queries/sequenced_up_to"))
    if kept.size > sequence:
        return [("older-ledger", f"the ledger has {sequence} events, and {kept.size} were signed")]
    try:
        same = await root_of(connection, kept.size) == kept.root
    except Corrupt as error:
        return [("tile-missing", error.message)]
    if not same:
        return [("forked", f"the first {kept.size} events are not those that were signed")]
    state = await connection.fetchrow(sql("queries/tree_state"))
    if kept.size > (state["size"] or 0):
        told = f"{kept.size} events were signed, the newest head is of {state['size'] or 0}"
        return [("checkpoint-rolled-back", told)]
    return []


class _Walk:
    """The tree as it grows from the events, compared with what is stored."""

    def __init__(self, connection: Any, sequence: int) -> None:
        """Begin with the empty tree; `sequence` is the ledger's last."""
        self.connection, self.sequence = connection, sequence
        self.tree = TileTree()
        self.findings: list[Finding] = []
        self.cut = False
        self._hashes = b""
        self._missing: list[Tile] = []

    async def to(self, size: int) -> None:
        """Grow to a size, or as far as events go, comparing each tile that fills."""
        while self.tree.size < min(size, self.sequence):
            if not self._hashes:
                upto = min(self.tree.size + PAGE, self.sequence)
                try:
                    self._hashes = await read_hashes(self.connection, self.tree.size, upto)
                except Corrupt as error:
                    self._find("leaf-missing", error.message)
                    self.cut = True
                if not self._hashes:
                    self.sequence = self.tree.size
                    return
            taken = (size - self.tree.size) * HASH_BYTES
            self.tree.extend(self._hashes[:taken])
            self._hashes = self._hashes[taken:]
            await self._compare_tiles()

    async def _compare_tiles(self) -> None:
        """Compare the tiles that were filled with the stored ones."""
        full = self.tree.take_full()
        rows = await self.connection.fetch(
            sql("queries/tiles"), [tile.level for tile, _ in full], [tile.index for tile, _ in full]
        )
        stored = {(row["level"], row["index"]): (row["hashes"], row["root"]) for row in rows}
        for tile, raw in full:
            found = stored.get((tile.level, tile.index))
            if found is None:
                self._missing.append(tile)
            elif found != (raw, tile_root(raw)):
                self._find("tile-differs", f"{tile.path} is not that of the events")

    def compare(self, row: Any) -> None:
        """Compare a head and its note with the tree at its size."""
        size = row["size"]
        if row["root"] is None:
            self._find("checkpoint-differs", f"that of {size} events has no head")
        elif size > self.tree.size and not self.cut:
            self._find("older-ledger", f"a head of {size}, and {self.tree.size} events")
        elif size == self.tree.size and row["root"] != self.tree.root:
            self._find("root-differs", f"the head of {size} events is not theirs")
        if row["note"] is not None and row["root"] is not None:
            try:
                said = Checkpoint.parse(Note.parse(row["note"]).text)
            except ProofError:
                said = None
            if said is None or (said.size, said.root) != (size, row["root"]):
                self._find("checkpoint-differs", f"the note of {size} events says something else")

    async def check_counts(self) -> None:
        """Find tiles that stand where the tree has none."""
        for row in await self.connection.fetch(sql("queries/tile_counts")):
            most = self.tree.size // WIDTH ** (row["level"] + 1)
            if row["last"] >= most and not self.cut:
                name = f"tile {row['last']} of level {row['level']}"
                self._find("tile-invented", f"{name}, where the tree has {most}")

    def missing(self, newest: int) -> list[Finding]:
        """Return the missing tiles below the newest head; above it they may be yet to come."""
        return [("tile-missing", f"{tile.path} is missing") for tile in self._missing
                if (tile.index + 1) * WIDTH ** (tile.level + 1) <= newest]  # fmt: skip

    def _find(self, code: str, message: str) -> None:
        """Keep a finding."""
        self.findings.append((code, message))
