"""C2SP tlog-tiles: paths, partial tiles, bundles; proofs read through tiles."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.proofs.merkle import CompactRange, Tree, consistency_proof, inclusion_proof, root_of
from ledger.proofs.tiles import (
    ENTRIES,
    Tile,
    TileSource,
    TileTree,
    decode_bundle,
    encode_bundle,
    new_tiles,
    split_tile,
    width_at,
)
from ledger.proofs.verify import ProofError, leaf_hash


def _kept(tree: TileTree, store: dict[Tile, bytes]) -> dict[Tile, bytes]:
    store.update(tree.take_full())
    store.update(tree.partial())
    return store


def test_the_published_paths():
    """tlog-tiles, Merkle Tree: index 1234067 is x001/x234/067."""
    assert Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert Tile(4, 1234067, 1).path == "tile/4/x001/x234/067.p/1"
    assert Tile(ENTRIES, 57500).path == "tile/entries/x057/500"
    assert Tile(63, 0, 255).path == "tile/63/000.p/255"


@given(st.integers(ENTRIES, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_each_path_reads_back(level, index, width):
    tile = Tile(level, index, width)
    assert Tile.parse(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1", "tile/0/0001", "tile/00/001", "tile/64/001", "tile/-1/001", "tile/0/x000/001",
        "tile/0/123/456", "tile/0/x123", "tile/0/001.p/0", "tile/0/001.p/256", "tile/0/001.p/01",
        "tile/0/001.p/", "tile/0/001/", "/tile/0/001", "tile/data/001", "tile/0/..", "tile/0/٠٠١",
        "tile/0/001\n", "tile/0/" + "x999/" * 9 + "999", "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/entries/001.p/300", "",
    ],
)  # fmt: skip
def test_another_spelling_is_no_tile(path):
    with pytest.raises(ProofError):
        Tile.parse(path)


def test_the_published_tiles_of_seventy_thousand():
    """tlog-tiles, Partial Tiles: the example of a tree of size 70 000, and of 256."""
    tiles = list(new_tiles(0, 70_000))
    assert sum(t.level == 0 and t.width == 256 for t in tiles) == 273
    assert [t for t in tiles if t.width < 256 or t.level] == [
        Tile(0, 273, 112),
        Tile(1, 0),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert list(new_tiles(0, 256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(new_tiles(0, 257, entries=True))[:2] == [Tile(ENTRIES, 0), Tile(ENTRIES, 1, 1)]
    assert list(new_tiles(300, 300)) == list(new_tiles(0, 0)) == []
    assert width_at(0, 274, 70_000) == 0


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.tuples(st.integers(0, 2000), st.integers(0, 2000)).map(sorted))
def test_new_tiles_are_what_growth_writes(tree, pair):
    old, new = pair
    growing, store = TileTree(), {}
    for number in range(old):
        growing.append(tree(0, number))
    _kept(growing, store)
    again = TileTree(old, store.__getitem__)
    assert again.root == growing.root == root_of(old, tree)
    for number in range(old, new):
        again.append(tree(0, number))
    written = _kept(again, {})
    assert set(new_tiles(old, new)) <= set(written)
    grown = set(new_tiles(0, new))
    assert set(written) <= grown
    assert again.root == root_of(new, tree)


def test_a_tree_that_went_on_from_its_partial_tiles_writes_the_same_bytes(tree):
    whole, store = TileTree(), {}
    for number in range(2000):
        whole.append(tree(0, number))
    _kept(whole, store)
    pieces, at = {}, 0
    for stop in (1, 255, 256, 257, 512, 1000, 1999, 2000):
        growing = TileTree(at, pieces.__getitem__)
        for number in range(at, stop):
            growing.append(tree(0, number))
        _kept(growing, pieces)
        at = stop
    assert {tile: pieces[tile] for tile in store} == store


def test_two_levels_of_tiles_and_a_third():
    growing, plain, store = TileTree(), CompactRange(), {}
    for number in range(66_000):
        one = leaf_hash(b"%d" % number)
        growing.append(one)
        plain.append(one)
    _kept(growing, store)
    assert growing.root == plain.root
    assert set(store) == set(new_tiles(0, 66_000))
    source = TileSource(store.__getitem__, 66_000)
    assert root_of(66_000, source) == plain.root
    assert TileTree(66_000, store.__getitem__).root == plain.root


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_proofs_through_tiles_are_the_trees(tree, tiled, data):
    new = data.draw(st.integers(1, 2000))
    old = data.draw(st.integers(0, new))
    index = data.draw(st.integers(0, new - 1))
    source = TileSource(tiled(new).__getitem__, new)
    assert consistency_proof(old, new, source) == consistency_proof(old, new, tree)
    assert inclusion_proof(index, new, source) == inclusion_proof(index, new, tree)
    if old:
        assert root_of(old, source) == root_of(old, tree)


@pytest.fixture(scope="module")
def tiled(tree: Tree):
    """The tiles of a tree of any size, as a log would serve them: partial ones of that size."""
    growing = TileTree()
    for number in range(2000):
        growing.append(tree(0, number))
    store = _kept(growing, {})

    def at(size: int) -> dict[Tile, bytes]:
        found = {}
        for tile in new_tiles(0, size):
            widest = max((t for t in store if t.full == tile.full), key=lambda t: t.width)
            found[tile] = store[widest][: tile.width * 32]
        return found

    return at


def test_a_partial_tile_that_is_gone_is_read_from_the_full_one(tree, tiled):
    store = tiled(512)
    source = TileSource({t: raw for t, raw in store.items() if t.width == 256}.__getitem__, 300)
    with pytest.raises(KeyError):
        source(8, 0)
    assert source(0, 299) == tree(0, 299)


def test_tiles_of_a_wrong_length_are_refused(tiled):
    store = tiled(300)
    for bad in (b"", store[Tile(0, 0)][:-1], store[Tile(0, 0)] + bytes(32)):
        with pytest.raises(ProofError):
            TileSource({**store, Tile(0, 0): bad}.__getitem__, 300)(0, 0)
    narrow = {**store, Tile(0, 1, 44): store[Tile(0, 1, 44)][:-32]}
    with pytest.raises(ProofError, match="bytes"):
        TileSource(narrow.__getitem__, 300)(0, 256)
    with pytest.raises(ProofError):
        TileSource(store.__getitem__, 300)(0, 300)
    with pytest.raises(ProofError):
        split_tile(b"")
    with pytest.raises(ValueError, match="partial"):
        TileTree(3)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_bundles_read_back_and_are_refused_when_cut(entries):
    raw = encode_bundle(entries)
    assert decode_bundle(raw, len(entries)) == entries
    for bad, width in ((raw[:-1], len(entries)), (raw, len(entries) + 1), (raw + b"\0", 1)):
        with pytest.raises(ProofError):
            decode_bundle(bad, width)


def test_an_entry_bundle_as_published():
    """tlog-tiles, Log entries: big-endian uint16 length, then the entry."""
    assert encode_bundle([b"ab", b""]) == b"\x00\x02ab\x00\x00"
    with pytest.raises(ProofError):
        encode_bundle([bytes(65_536)])
