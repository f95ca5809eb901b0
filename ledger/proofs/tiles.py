"""The tree as 256-hash tiles and entry bundles, immutable and cacheable (C2SP tlog-tiles)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger.proofs.merkle import CompactRange, fold
from ledger.proofs.verify import HASH_BYTES, SIZE_MAX, ProofError, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
TILE_BYTES, PAIR_BYTES = WIDTH * HASH_BYTES, 2 * HASH_BYTES
ENTRIES = -1
"""The level of an entry bundle: the leaves' bytes under a level-0 tile."""
LEVEL_MAX = 63
ENTRY_BYTES_MAX = 0xFFFF
PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, order=True)
class Tile:
    """A tile's place: level (or ENTRIES), index in the level, how many hashes it holds."""

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        """Refuse what tlog-tiles cannot name."""
        if not (
            ENTRIES <= self.level <= LEVEL_MAX
            and 0 <= self.index <= SIZE_MAX
            and 1 <= self.width <= WIDTH
        ):
            raise ProofError("tile", f"no such tile: {self.level} {self.index} {self.width}")

    @property
    def path(self) -> str:
        """The path below the log's prefix (tlog-tiles, Merkle Tree and Log entries)."""
        rest, name = divmod(self.index, 1000)
        text = f"{name:03d}"
        while rest:
            rest, name = divmod(rest, 1000)
            text = f"x{name:03d}/{text}"
        level = "entries" if self.level == ENTRIES else str(self.level)
        return f"tile/{level}/{text}" + (f".p/{self.width}" if self.width < WIDTH else "")

    @classmethod
    def parse(cls, path: str) -> Tile:
        """Read a path; only the one canonical spelling of each tile is taken."""
        match = PATH.fullmatch(path)
        if match is None:
            raise ProofError("tile", f"not the path of a tile: {path[:80]!r}")
        level, upper, name, width = match.groups()
        tile = cls(
            ENTRIES if level == "entries" else int(level),
            int(upper.replace("x", "").replace("/", "") + name),
            int(width or WIDTH),
        )
        if tile.path != path:
            raise ProofError("tile", f"another spelling of {tile.path}: {path[:80]!r}")
        return tile

    @property
    def full(self) -> Tile:
        """The full tile at this place: what may be read once the partial one is gone."""
        return Tile(self.level, self.index)


def width_at(level: int, index: int, size: int) -> int:
    """Return how many hashes a tile holds in a tree of `size`: 0 (none), partial or WIDTH."""
    total = size >> HEIGHT * max(level, 0)
    return max(0, min(WIDTH, total - index * WIDTH))


def new_tiles(size: int, grown: int, *, entries: bool = False) -> Iterator[Tile]:
    """Yield the tiles that a tree of `grown` needs and one of `size` did not have.

    Full tiles come first at each level, then its partial one (tlog-tiles, Partial Tiles).
    """
    levels = range(ENTRIES if entries else 0, LEVEL_MAX + 1)
    for level in levels:
        shift = HEIGHT * max(level, 0)
        before, after = size >> shift, grown >> shift
        if not after:
            return
        if before == after:
            continue
        for index in range(before // WIDTH, -(-after // WIDTH)):
            yield Tile(level, index, width_at(level, index, grown))


def locate(size: int, level: int, index: int) -> tuple[Tile, int, int]:
    """Return the tile that has a subtree of a tree of `size`, and its row and column there."""
    if not 0 <= index < size >> level:
        raise ProofError("tile", f"a tree of {size} has no subtree {index} at {level}")
    above, within = divmod(level, HEIGHT)
    place, column = divmod(index, WIDTH >> within)
    return Tile(above, place, width_at(above, place, size)), within, column


def split_tile(raw: bytes) -> list[bytes]:
    """Return the hashes of a tile."""
    if not raw or len(raw) % HASH_BYTES or len(raw) > WIDTH * HASH_BYTES:
        raise ProofError("tile", f"a tile cannot have {len(raw)} bytes")
    return [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]


def rows_of(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Return the rows of complete subtrees within a tile, its own hashes first."""
    rows = [list(hashes)]
    while len(row := rows[-1]) > 1:
        rows.append([node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)])
    return rows


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Return an entry bundle: each entry behind its length as uint16 (tlog-tiles, Log entries)."""
    parts = []
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise ProofError("entry", f"an entry of {len(entry)} bytes does not fit a bundle")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def decode_bundle(raw: bytes, width: int) -> list[bytes]:
    """Return the entries of a bundle of this width."""
    entries, at = [], 0
    while at < len(raw):
        end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
        if end > len(raw):
            raise ProofError("entry", "the entry bundle is cut off")
        entries.append(raw[at + 2 : end])
        at = end
    if len(entries) != width:
        raise ProofError("entry", f"the bundle holds {len(entries)} entries, not {width}")
    return entries


def tile_root(raw: bytes) -> bytes:
    """Return the hash above a full tile: one hash of the next level."""
    sha256, row = hashlib.sha256, raw
    while len(row) > HASH_BYTES:
        row = b"".join(
            [sha256(b"\x01" + row[at : at + PAIR_BYTES]).digest()
             for at in range(0, len(row), PAIR_BYTES)]
        )  # fmt: skip
    return row


class TileSource:
    """Reads the hashes of a tree of `size` through its tiles; called as a hash source.

    `fetch` returns a tile's bytes or raises LookupError; for a partial tile that is gone the full
    one is asked for. What it returns is proven by the proof or root that is made of it, no sooner.
    """

    def __init__(self, fetch: Callable[[Tile], bytes], size: int) -> None:
        """Keep the way to the tiles and the size that the checkpoint says."""
        self.fetch = fetch
        self.size = size
        self._rows: dict[Tile, list[list[bytes]]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree of the tree."""
        tile, within, column = locate(self.size, level, index)
        if tile not in self._rows:
            self._rows[tile] = rows_of(self.read(tile))
        return self._rows[tile][within][column]

    def read(self, tile: Tile) -> list[bytes]:
        """Return the hashes of a tile."""
        try:
            raw = self.fetch(tile)
        except LookupError:
            if tile.width == WIDTH:
                raise
            raw = self.fetch(tile.full)[: tile.width * HASH_BYTES]
        if len(raw) != tile.width * HASH_BYTES:
            raise ProofError("tile", f"{tile.path} has {len(raw)} bytes")
        return split_tile(raw)


class TileTree:
    """A growing tree that keeps only its partial tiles; full ones are handed out once.

    The partial tiles are the whole state: a crash between tiles and checkpoint loses nothing that
    the next run would not compute again, byte for byte.
    """

    def __init__(self, size: int = 0, partial: Callable[[Tile], bytes] | None = None) -> None:
        """Begin with the empty tree, or go on from the partial tiles of a tree of `size`."""
        if size and partial is None:
            msg = f"a tree of {size} leaves goes on from its partial tiles"
            raise ValueError(msg)
        self.size = size
        self._full: list[tuple[Tile, bytes]] = []
        self._rows: list[list[bytes]] = []
        self._ranges: list[CompactRange] = []
        source = TileSource(partial, size) if partial else None
        for level, total in enumerate(_totals(size)):
            self._open_level()
            if source and total % WIDTH:
                for one in source.read(Tile(level, total // WIDTH, total % WIDTH)):
                    self._rows[level].append(one)
                    self._ranges[level].append(one)

    def _open_level(self) -> None:
        """Begin one more level of tiles."""
        self._rows.append([])
        self._ranges.append(CompactRange())

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self.size += 1
        self._carry(0, leaf, self.size)

    def _carry(self, level: int, leaf: bytes, total: int) -> None:
        """Add the hash of a tile below, the `total`-th of its level, and what it fills above."""
        while True:
            if level == len(self._rows):
                self._open_level()
            row, joined = self._rows[level], self._ranges[level]
            row.append(leaf)
            joined.append(leaf)
            if len(row) < WIDTH:
                return
            total //= WIDTH
            self._full.append((Tile(level, total - 1), b"".join(row)))
            leaf = joined.root
            self._rows[level], self._ranges[level] = [], CompactRange()
            level += 1

    def extend(self, hashes: bytes) -> None:
        """Add leaf hashes, 32 bytes each; whole tiles are joined row by row, four times as fast."""
        raw, at = memoryview(hashes), 0
        while at < len(raw):
            if self.size % WIDTH == 0 and len(raw) - at >= TILE_BYTES:
                self._append_tile(bytes(raw[at : at + TILE_BYTES]))
                at += TILE_BYTES
            else:
                self.append(bytes(raw[at : at + HASH_BYTES]))
                at += HASH_BYTES

    def _append_tile(self, raw: bytes) -> None:
        """Add the leaves of a whole tile to a tree that stands at a tile's edge."""
        if not self._rows:
            self._open_level()
        self.size += WIDTH
        self._full.append((Tile(0, self.size // WIDTH - 1), raw))
        self._carry(1, tile_root(raw), self.size // WIDTH)

    @property
    def root(self) -> bytes:
        """The root of the tree so far."""
        return fold(one for joined in reversed(self._ranges) for one in joined.hashes)

    def take_full(self) -> list[tuple[Tile, bytes]]:
        """Return the tiles that were filled since the last call, with their bytes."""
        taken, self._full = self._full, []
        return taken

    def partial(self) -> list[tuple[Tile, bytes]]:
        """Return the partial tiles of the tree at its size, with their bytes."""
        totals = _totals(self.size)
        return [
            (Tile(level, totals[level] // WIDTH, len(row)), b"".join(row))
            for level, row in enumerate(self._rows)
            if row
        ]


def partial_tiles(size: int) -> list[Tile]:
    """Return the partial tiles of a tree of `size`: what `TileTree` goes on from."""
    return [
        Tile(level, total // WIDTH, total % WIDTH)
        for level, total in enumerate(_totals(size))
        if total % WIDTH
    ]


def _totals(size: int) -> list[int]:
    """Return how many hashes each tile level has in a tree of `size`."""
    totals = []
    while size:
        totals.append(size)
        size //= WIDTH
    return totals
