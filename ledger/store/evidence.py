"""The reading side of the tree: published checkpoints, tiles, leaves and proofs. Never writes.

Every proof is checked against the root that was signed before it is handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from ledger.errors import Corrupt, Invalid, NotFound
from ledger.proofs import merkle
from ledger.proofs.notes import write_consistency, write_inclusion
from ledger.proofs.tiles import (
    ENTRIES,
    TILE_BYTES,
    WIDTH,
    Tile,
    TileSource,
    encode_bundle,
    locate,
    width_at,
)
from ledger.proofs.verify import (
    HASH_BYTES,
    ProofError,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from ledger.store.pool import Database
from ledger.store.sql import sql

Made = TypeVar("Made")
WITH_LEAVES = True
LEAVES_MAX = 1 << 16
"""Most leaves handed out at once."""


@dataclass(frozen=True, kw_only=True)
class SignedHead:
    """A published checkpoint: tree size, root, the signed note, whether the quorum cosigned it.

    `made_at` is when it was published, microseconds since 1970 UTC of the ledger's clock.
    """

    size: int
    root: bytes
    note: bytes
    witnessed: bool
    made_at: int


@dataclass(frozen=True, kw_only=True)
class Included:
    """An event in the tree of `size`: its leaf, the siblings from it to the root (RFC 9162).

    `head` is the published checkpoint of that size, where there is one.
    """

    sequence: int
    size: int
    root: bytes
    leaf: bytes
    hashes: list[bytes]
    head: SignedHead | None


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Two trees, the smaller the beginning of the larger, and what proves it (RFC 9162)."""

    old: int
    new: int
    old_root: bytes
    new_root: bytes
    hashes: list[bytes]


class Evidence:
    """Answers from what is published; a size that is not yet published is not found."""

    def __init__(self, database: Database) -> None:
        """Take the database; reads as the reader."""
        self.database = database

    async def checkpoint(self, size: int | None = None) -> SignedHead | None:
        """Return the newest published checkpoint, or the one of a size, or None."""
        async with self.database.connect("reader") as connection:
            return await read_checkpoint(connection, size)

    async def checkpoints(self, after: int = 0, limit: int = 100) -> list[SignedHead]:
        """Return published checkpoints above a size, smallest first."""
        async with self.database.connect("reader") as connection:
            rows = await connection.fetch(sql("queries/checkpoints"), after, limit)
        return [_head(row) for row in rows]

    async def tile(self, path: str) -> bytes:
        """Return a tile or entry bundle by its C2SP path below /tile/. Raises `NotFound`."""
        try:
            tile = Tile.parse(f"tile/{path}")
        except ProofError as error:
            raise NotFound("unknown-tile", str(error)) from error
        async with self.database.connect("reader") as connection:
            head = await read_checkpoint(connection)
            size = head.size if head else 0
            if width_at(tile.level, tile.index, size) < tile.width:
                raise NotFound("unknown-tile", f"the published tree of {size} has no {tile.path}")
            if tile.level == ENTRIES:
                first = tile.index * WIDTH + 1
                return encode_bundle(await read_leaves(connection, first, first + tile.width - 1))
            return (await read_tiles(connection, [tile]))[tile]

    async def leaves(self, first: int, last: int) -> list[bytes]:
        """Return the leaves' bytes by sequence, both ends included. Raises `NotFound`."""
        if not 1 <= first <= last < first + LEAVES_MAX:
            raise Invalid(f"not a range of at most {LEAVES_MAX} sequences: {first} to {last}")
        async with self.database.connect("reader") as connection:
            return await read_leaves(connection, first, last)

    async def sequence_of(self, budget: str, position: int) -> int:
        """Return the sequence of an event by its place in its budget. Raises `NotFound`."""
        async with self.database.connect("reader") as connection:
            found = await connection.fetchval(sql("queries/sequence_of"), budget, position)
        if found is None:
            raise NotFound("unknown-event", f"{budget}:{position} has no sequence (yet)",
                           budget=budget, position=position)  # fmt: skip
        return int(found)

    async def included(self, sequence: int, size: int | None = None) -> Included:
        """Return an event's proof in the newest published tree, or in that of a smaller size.

        Raises `NotFound` where that tree does not hold the event, or is not published yet.
        """
        async with self.database.connect("reader") as connection:
            newest = await _newest(connection, size)
            wanted = newest.size if size is None else size
            head = newest if wanted == newest.size else await read_checkpoint(connection, wanted)
            return await _included(connection, sequence, wanted, head)

    async def inclusion(self, sequence: int, size: int) -> list[bytes]:
        """Return the inclusion proof of an event in the tree of a size."""
        return (await self.included(sequence, size)).hashes

    async def joined(self, old: int, new: int | None = None) -> Joined:
        """Return the proof that joins two sizes of the published tree; the newest by default."""
        async with self.database.connect("reader") as connection:
            newest = await _newest(connection, new)
            return await prove_growth(connection, old, newest.size if new is None else new)

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the tree of `old` is the beginning of that of `new`.

        Also for sizes whose checkpoint is not published yet: a witness is asked before.
        """
        async with self.database.connect("reader") as connection:
            return (await prove_growth(connection, old, new)).hashes

    async def tlog_proof(self, sequence: int, size: int | None = None) -> bytes:
        """Return a `.tlog-proof` file of an event under a published checkpoint, leaf as extra."""
        async with self.database.connect("reader") as connection:
            head = await _signed(connection, size)
            found = await _included(connection, sequence, head.size, head)
        return write_inclusion(sequence - 1, found.hashes, head.note, found.leaf)

    async def consistency_file(self, old: int, new: int | None = None) -> bytes:
        """Return a consistency proof under a published checkpoint, as a witness takes it."""
        async with self.database.connect("reader") as connection:
            head = await _signed(connection, new)
            found = await prove_growth(connection, old, head.size)
        return write_consistency(old, found.hashes, head.note)


async def _signed(connection: Any, size: int | None) -> SignedHead:
    """Return the checkpoint of a size, or the newest. Raises `NotFound`."""
    head = await read_checkpoint(connection, size)
    if head is None:
        which = "checkpoint" if size is None else f"checkpoint of size {size}"
        raise NotFound("unknown-checkpoint", f"no {which} is published")
    return head


async def _newest(connection: Any, size: int | None) -> SignedHead:
    """Return the newest checkpoint. Raises `NotFound` where it does not hold a size."""
    head = await _signed(connection, None)
    if size is not None and not 1 <= size <= head.size:
        raise NotFound("unknown-checkpoint", f"the published tree has {head.size} leaves, "
                       f"not {size}", size=head.size)  # fmt: skip
    return head


async def read_checkpoint(connection: Any, size: int | None = None) -> SignedHead | None:
    """Return the newest published checkpoint or the one of a size."""
    row = await connection.fetchrow(sql("queries/checkpoint"), size)
    return _head(row) if row else None


def _head(row: Any) -> SignedHead:
    """Read a row."""
    return SignedHead(size=row["size"], root=row["root"], note=row["note"],
                      witnessed=row["witnessed"], made_at=row["published_at"])  # fmt: skip


async def read_leaves(connection: Any, first: int, last: int) -> list[bytes]:
    """Return the leaves' bytes of sequences `first` … `last`. Raises `NotFound` beyond the last."""
    rows = await connection.fetch(sql("queries/leaves"), first - 1, last, WITH_LEAVES)
    leaves = [leaf for row in rows for leaf in row["leaves"]]
    if len(leaves) != last - first + 1:
        raise NotFound("unknown-event", f"not all of {first} to {last} are sequenced")
    return leaves


async def read_hashes(connection: Any, after: int, upto: int) -> bytes:
    """Return the leaf hashes of the sequences above `after`, as many as there are up to `upto`.

    Raises `Corrupt` where a sequence is missing between them or its event is.
    """
    rows = await connection.fetch(sql("queries/leaves"), after, upto, not WITH_LEAVES)
    place = after
    for row in rows:
        if row["first"] != place + 1 or row["last"] != place + row["many"]:
            raise Corrupt(f"the event of a sequence from {place + 1} on is missing",
                          sequence=place + 1)  # fmt: skip
        place = row["last"]
    return b"".join(row["hashes"] for row in rows)


async def read_tiles(connection: Any, wanted: Iterable[Tile]) -> dict[Tile, bytes]:
    """Return tiles of any width: kept full ones, cut where asked; partial ones as they stand.

    A partial tile of level 0 comes from the events, one above from the roots below it.
    """
    asked = list(wanted)
    rows = await connection.fetch(
        sql("queries/tiles"), [tile.level for tile in asked], [tile.index for tile in asked]
    )
    full = {(row["level"], row["index"]): row["hashes"] for row in rows}
    found: dict[Tile, bytes] = {}
    for tile in asked:
        raw = full.get((tile.level, tile.index))
        if raw is None:
            first = tile.index * WIDTH
            if tile.level == 0:
                raw = await read_hashes(connection, first, first + tile.width)
            else:
                raw = await connection.fetchval(
                    sql("queries/tile_roots"), tile.level - 1, first, tile.width
                )
        size = tile.width * HASH_BYTES
        if raw is None or len(raw) < size or len(raw) > TILE_BYTES:
            raise Corrupt(f"{tile.path} is not whole", tile=tile.path)
        found[tile] = raw[:size]
    return found


async def prove(connection: Any, size: int, make: Callable[[merkle.HashSource], Made]) -> Made:
    """Make something of the hashes of the tree of `size`: first see which tiles it takes."""
    wanted: set[Tile] = set()

    def note(level: int, index: int) -> bytes:
        wanted.add(locate(size, level, index)[0])
        return bytes(HASH_BYTES)

    make(note)
    tiles = await read_tiles(connection, wanted)
    return make(TileSource(tiles.__getitem__, size))


async def root_of(connection: Any, size: int) -> bytes:
    """Return the root of the tree of the first `size` sequences."""
    return await prove(connection, size, lambda source: merkle.root_of(size, source))


async def prove_growth(connection: Any, old: int, new: int) -> Joined:
    """Return the checked consistency proof from one tree size to another, 0 included."""
    if not 0 <= old <= new:
        raise Invalid(f"a tree of {old} leaves is no beginning of one of {new}")
    hashes, old_root, new_root = await prove(
        connection, new,
        lambda source: (merkle.consistency_proof(old, new, source), merkle.root_of(old, source),
                        merkle.root_of(new, source)),
    )  # fmt: skip
    for size, root in ((old, old_root), (new, new_root)):
        await _assert_signed(connection, size, root)
    try:
        verify_consistency(old, new, old_root, new_root, hashes)
    except ProofError as error:
        raise Corrupt(f"the tiles contradict each other: {error}", size=new) from error
    return Joined(old=old, new=new, old_root=old_root, new_root=new_root, hashes=hashes)


async def _assert_signed(connection: Any, size: int, root: bytes) -> None:
    """Raise `Corrupt` where another root of this size was published."""
    head = await read_checkpoint(connection, size) if size else None
    if head is not None and head.root != root:
        raise Corrupt(f"the tree of {size} has another root than was signed", size=size)


async def _included(connection: Any, sequence: int, size: int, head: SignedHead | None) -> Included:
    """Return the checked inclusion proof of an event in the tree of a size."""
    if not 1 <= sequence <= size:
        raise NotFound("not-in-tree", f"the tree of {size} leaves has no event {sequence}",
                       sequence=sequence, size=size)  # fmt: skip
    hashes, root = await prove(
        connection, size,
        lambda source: (merkle.inclusion_proof(sequence - 1, size, source),
                        head.root if head else merkle.root_of(size, source)),
    )  # fmt: skip
    [leaf] = await read_leaves(connection, sequence, sequence)
    try:
        verify_inclusion(sequence - 1, size, leaf_hash(leaf), hashes, root)
    except ProofError as error:
        raise Corrupt(f"the event of sequence {sequence} is not what the tree holds",
                      sequence=sequence) from error  # fmt: skip
    return Included(sequence=sequence, size=size, root=root, leaf=leaf, hashes=hashes, head=head)
