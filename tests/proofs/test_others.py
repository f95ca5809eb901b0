"""Programs that we did not write judge us, and we them: `tlog-scales` and `pymerkle`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InclusionProof, InmemoryTree
from pymerkle import verify_inclusion as pymerkle_verify_inclusion
from tlog_scales import tlog
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import PlainEd25519Signer, Vkey
from tlog_scales.writer import TilesWriter

from ledger.proofs.merkle import consistency_proof, inclusion_proof, root_of
from ledger.proofs.notes import add_signatures, write_checkpoint
from ledger.proofs.tiles import (
    ENTRIES,
    Tile,
    TileSource,
    TileTree,
    decode_bundle,
    encode_bundle,
    new_tiles,
)
from ledger.proofs.verify import (
    Checkpoint,
    Key,
    Trust,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)

SIZE = 1337


@pytest.fixture(scope="module")
def ours(tmp_path_factory, leaves, signer, witnesses):
    """Our log of 1 337 events in a folder, as it is served."""
    folder, growing = tmp_path_factory.mktemp("ours"), TileTree()
    for leaf in leaves[:SIZE]:
        growing.append(leaf_hash(leaf))
    written = [*growing.take_full(), *growing.partial()]
    for tile in new_tiles(0, SIZE, entries=True):
        if tile.level == ENTRIES:
            start = tile.index * 256
            written.append((tile, encode_bundle(leaves[start : start + tile.width])))
    for tile, raw in written:
        path = folder / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    head = Checkpoint(signer.key.name, SIZE, growing.root)
    lines = [one.cosign(head.text, 1_700_000_000) for one in witnesses]
    (folder / "checkpoint").write_bytes(add_signatures(write_checkpoint(head, [signer]), lines))
    return folder


@pytest.fixture(scope="module")
def theirs(tmp_path_factory, leaves):
    """A log of the same events that `tlog-scales` wrote, in three commits."""
    folder = tmp_path_factory.mktemp("their") / "log"
    writer = TilesWriter.create(folder, "their.example/log")
    signer = PlainEd25519Signer("their.example/log", b"\x03" * 32)
    for start, end in ((0, 3), (3, 600), (600, SIZE)):
        for leaf in leaves[start:end]:
            writer.add_leaf(leaf)
        writer.commit([signer])
    return folder, signer


def test_tlog_scales_verifies_our_checkpoint_and_cosignatures(ours, signer, witnesses):
    head = TilesReader(LocalBackend(ours)).get_checkpoint()
    for key in (signer.key, *(one.key for one in witnesses)):
        head.verify(Vkey.from_string(key.text))
    assert head.size == SIZE


def test_tlog_scales_reads_our_tiles_and_bundles(ours, leaves):
    reader = TilesReader(LocalBackend(ours))
    head = reader.get_checkpoint()
    assert reader.calculate_root_hash() == head.root_hash
    for index in (0, 255, 256, 1279, 1280, SIZE - 1):
        assert reader.get_entry(index) == leaves[index]
        proof = reader.get_inclusion_proof(index, SIZE)
        proof.check(leaf_hash(leaves[index]), head.root_hash)
        verify_inclusion(index, SIZE, leaf_hash(leaves[index]), proof.node_hashes, head.root_hash)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_tlog_scales_verifies_our_proofs(tree, leaves, data):
    new = data.draw(st.integers(1, 2000))
    old, index = data.draw(st.integers(0, new)), data.draw(st.integers(0, new - 1))
    root = root_of(new, tree)
    tlog.InclusionProof(index, new, inclusion_proof(index, new, tree)).check(
        leaf_hash(leaves[index]), root
    )
    proof = consistency_proof(old, new, tree)
    tlog.ConsistencyProof(old, new, proof).check(root_of(old, tree), root)


def test_we_verify_the_log_of_tlog_scales(theirs, leaves):
    folder, signer = theirs
    key = Key.parse(signer.vkey.serialize())
    head = Trust((key,), "their.example/log").open((folder / "checkpoint").read_bytes())

    def fetch(tile: Tile) -> bytes:
        try:
            return (folder / tile.path).read_bytes()
        except FileNotFoundError as error:
            raise LookupError from error

    source = TileSource(fetch, head.size)
    assert root_of(SIZE, source) == head.root
    for old in (1, 3, 256, 600, 1024, 1336):
        proof = consistency_proof(old, SIZE, source)
        verify_consistency(old, SIZE, root_of(old, source), head.root, proof)
        assert proof == _their_reader(folder).get_consistency_proof(old, SIZE).node_hashes
    assert decode_bundle(fetch(Tile(ENTRIES, 5, SIZE % 256)), SIZE % 256) == leaves[1280:SIZE]


def _their_reader(folder):
    reader = TilesReader(LocalBackend(folder))
    reader.set_size(SIZE)
    return reader


def test_both_logs_are_the_same_tiles(ours, theirs):
    """Byte for byte, full and partial, hashes and entries."""
    for tile in new_tiles(0, SIZE, entries=True):
        assert (ours / tile.path).read_bytes() == (theirs[0] / tile.path).read_bytes(), tile.path


def test_pymerkle_has_our_roots_and_verifies_our_inclusion_proofs(tree, leaves):
    """Its consistency proofs choose other subtrees than RFC 9162, so only its verdict counts."""
    judge = InmemoryTree(algorithm="sha256")
    for size, leaf in enumerate(leaves[:600], 1):
        judge.append_entry(leaf)
        assert judge.get_root(size) == root_of(size, tree)
    for size in (1, 2, 3, 255, 256, 257, 511, 600):
        root = root_of(size, tree)
        for index in {0, 1, size // 2, size - 1} & set(range(size)):
            rule = judge.prove_inclusion(index + 1, size).rule
            path = [leaf_hash(leaves[index]), *inclusion_proof(index, size, tree)]
            proof = InclusionProof("sha256", True, size, index + 1, rule, path)  # noqa: FBT003 - its signature
            pymerkle_verify_inclusion(
                leaf_hash(leaves[index]), root, proof, index=index + 1, size=size
            )
        for old in (1, size):
            judge.prove_consistency(old, size).verify(root_of(old, tree), root)
