"""The Merkle tree as it grows, and the proofs that are made from it (RFC 9162 section 2.1).

What checks a proof stands in `verify.py`, so that there is one checker and it needs nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ledger.proofs.verify import EMPTY_ROOT, leaf_hash, node_hash

HashSource = Callable[[int, int], bytes]
"""Gives the hash of the complete subtree `index` at `level`: over 2**level leaves, 0 the leaves."""


def fold(hashes: Iterable[bytes]) -> bytes:
    """Join complete subtrees, left to right and each larger than the next, into one hash."""
    joined = b""
    for one in reversed(list(hashes)):
        joined = node_hash(one, joined) if joined else one
    return joined or EMPTY_ROOT


def subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """Return the (level, index) of the complete subtrees that cover the leaves start … end.

    `start` is a multiple of the largest power of two that fits, as in every RFC 9162 split.
    """
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def subtree_hash(start: int, end: int, source: HashSource) -> bytes:
    """Return MTH(D[start:end]) (RFC 9162 section 2.1.1)."""
    return fold(source(level, index) for level, index in subtrees(start, end))


def root_of(size: int, source: HashSource) -> bytes:
    """Return the root of the tree of the first `size` leaves (RFC 9162 section 2.1.1)."""
    return subtree_hash(0, size, source)


def _split(count: int) -> int:
    """Return the largest power of two below the count (k of RFC 9162)."""
    return 1 << (count - 1).bit_length() - 1


def inclusion_proof(index: int, size: int, source: HashSource) -> list[bytes]:
    """Return PATH(index, D[size]), from the leaf's sibling upwards (RFC 9162 section 2.1.3.1)."""
    if not 0 <= index < size:
        msg = f"index {index} lies outside a tree of {size} leaves"
        raise ValueError(msg)
    start, end, siblings = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    return [subtree_hash(*sibling, source) for sibling in reversed(siblings)]


def consistency_proof(size: int, grown: int, source: HashSource) -> list[bytes]:
    """Return PROOF(size, D[grown]) (RFC 9162 section 2.1.4.1); empty for equal sizes and for 0."""
    if not 0 <= size <= grown:
        msg = f"a tree of {size} leaves is no beginning of one of {grown}"
        raise ValueError(msg)
    if size in (0, grown):
        return []
    start, end, found = 0, grown, []
    while size != end:
        middle = start + _split(end - start)
        if size <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    if start:
        found.append((start, end))
    return [subtree_hash(*one, source) for one in reversed(found)]


class CompactRange:
    """The roots of the complete subtrees of a growing tree: all that appending needs.

    `hashes` stand from left to right; there are as many as one-bits in `size`.
    """

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """Go on from a kept range, or begin with the empty tree."""
        self.size = size
        self.hashes = list(hashes)
        if len(self.hashes) != size.bit_count():
            msg = f"a range of {size} leaves has {size.bit_count()} hashes"
            raise ValueError(msg)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        size, hashes = self.size, self.hashes
        while size & 1:
            leaf = node_hash(hashes.pop(), leaf)
            size >>= 1
        hashes.append(leaf)
        self.size += 1

    @property
    def root(self) -> bytes:
        """The root of the tree so far."""
        return fold(self.hashes)


class Tree:
    """A whole tree in memory, for batches and tests; called as a hash source."""

    __slots__ = ("levels",)

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        """Take the leaves' bytes; the tree hashes them."""
        self.levels: list[list[bytes]] = [[]]
        for leaf in leaves:
            self.append(leaf)

    def __call__(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree."""
        return self.levels[level][index]

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return len(self.levels[0])

    @property
    def root(self) -> bytes:
        """The root of the whole tree."""
        return root_of(self.size, self)

    def append(self, leaf: bytes) -> None:
        """Add one leaf by its bytes."""
        self.append_hash(leaf_hash(leaf))

    def append_hash(self, one: bytes) -> None:
        """Add one leaf by its hash."""
        for level in self.levels:
            level.append(one)
            if len(level) & 1:
                return
            one = node_hash(level[-2], level[-1])
        self.levels.append([one])
