"""RFC 9162 section 2.1: roots and proofs, by published vectors and by the RFC's own recursion."""

import hashlib
import os
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.proofs.merkle import (
    CompactRange,
    Tree,
    consistency_proof,
    inclusion_proof,
    root_of,
)
from ledger.proofs.verify import (
    EMPTY_ROOT,
    ProofError,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from tests.proofs.vectors import LEAVES, ROOTS

SIZE_MAX = 2000
SIZES = st.integers(0, SIZE_MAX)
PAIRS_MAX = int(os.environ.get("QAZYNA_PAIRS_MAX", "300"))
"""Every pair of sizes up to here; 2000 takes minutes."""


# The definitions of RFC 9162 section 2.1, word for word and slow, as the judge.


def _h(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def _k(n):
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def _mth(d):
    if len(d) <= 1:
        return _h(b"\x00", d[0]) if d else _h(b"")
    k = _k(len(d))
    return _h(b"\x01", _mth(d[:k]), _mth(d[k:]))


def _path(m, d):
    if len(d) == 1:
        return []
    k = _k(len(d))
    if m < k:
        return [*_path(m, d[:k]), _mth(d[k:])]
    return [*_path(m - k, d[k:]), _mth(d[:k])]


def _subproof(m, d, *, b):
    if m == len(d):
        return [] if b else [_mth(d)]
    k = _k(len(d))
    if m <= k:
        return [*_subproof(m, d[:k], b=b), _mth(d[k:])]
    return [*_subproof(m - k, d[k:], b=False), _mth(d[:k])]


def test_the_published_tree_has_its_published_roots():
    growing, whole = CompactRange(), Tree()
    assert growing.root == whole.root == EMPTY_ROOT == ROOTS[0]
    for leaf, root in zip(LEAVES, ROOTS[1:], strict=True):
        growing.append(leaf_hash(leaf))
        whole.append(leaf)
        assert growing.root == whole.root == root


def test_published_proofs_of_the_published_tree():
    """The paths of RFC 9162's reference tests: leaf 0 and 5 of 8, 2 of 3, 1 of 5."""
    tree = Tree(LEAVES)
    for index, size in ((0, 8), (5, 8), (2, 3), (1, 5), (0, 1)):
        proof = inclusion_proof(index, size, tree)
        assert proof == _path(index, LEAVES[:size])
        verify_inclusion(index, size, leaf_hash(LEAVES[index]), proof, ROOTS[size])
    assert [h.hex() for h in inclusion_proof(5, 8, tree)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [h.hex() for h in consistency_proof(6, 8, tree)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_every_small_proof_is_the_rfcs():
    data = [b"%d" % n for n in range(40)]
    tree = Tree(data)
    for size in range(41):
        assert root_of(size, tree) == _mth(data[:size])
        for index in range(size):
            assert inclusion_proof(index, size, tree) == _path(index, data[:size])
        for old in range(1, size + 1):
            assert consistency_proof(old, size, tree) == _subproof(old, data[:size], b=True)


def test_every_size_has_one_root_and_proofs_at_its_edges(tree, leaves):
    growing = CompactRange()
    for size in range(SIZE_MAX + 1):
        kept = CompactRange(size, growing.hashes)
        root = root_of(size, tree)
        assert growing.root == kept.root == root
        for index in {0, size // 2, size - 1} if size else ():
            proof = inclusion_proof(index, size, tree)
            verify_inclusion(index, size, leaf_hash(leaves[index]), proof, root)
        if size < SIZE_MAX:
            growing.append(leaf_hash(leaves[size]))
            proof = consistency_proof(size, size + 1, tree)
            verify_consistency(size, size + 1, root, growing.root, proof)
    assert growing.root == tree.root


def test_every_pair_of_sizes_to_three_hundred_is_consistent(tree):
    roots = [root_of(size, tree) for size in range(PAIRS_MAX + 1)]
    for new in range(PAIRS_MAX + 1):
        for old in range(new + 1):
            proof = consistency_proof(old, new, tree)
            verify_consistency(old, new, roots[old], roots[new], proof)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.tuples(SIZES, SIZES).map(sorted))
@example([0, 0])
@example([0, 2000])
@example([1024, 1024])
@example([1024, 2000])
@example([1, 2])
def test_every_pair_of_sizes_is_consistent(tree, pair):
    old, new = pair
    proof = consistency_proof(old, new, tree)
    verify_consistency(old, new, root_of(old, tree), root_of(new, tree), proof)
    assert len(proof) <= 12


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_every_leaf_of_every_size_is_included(tree, leaves, data):
    size = data.draw(st.integers(1, SIZE_MAX))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, tree)
    verify_inclusion(index, size, leaf_hash(leaves[index]), proof, root_of(size, tree))


def _flipped(raw, bit):
    return raw[: bit // 8] + bytes([raw[bit // 8] ^ 1 << bit % 8]) + raw[bit // 8 + 1 :]


def _refused(check, *arguments):
    with pytest.raises(ProofError):
        check(*arguments)


def test_each_flipped_bit_of_an_inclusion_proof_is_refused(tree, leaves):
    index, size = 777, 1500
    proof, leaf = inclusion_proof(index, size, tree), leaf_hash(leaves[index])
    root = root_of(size, tree)
    for bit in range(256):
        _refused(verify_inclusion, index, size, _flipped(leaf, bit), proof, root)
        _refused(verify_inclusion, index, size, leaf, proof, _flipped(root, bit))
        for n in range(len(proof)):
            bad = [*proof[:n], _flipped(proof[n], bit), *proof[n + 1 :]]
            _refused(verify_inclusion, index, size, leaf, bad, root)


def test_each_flipped_bit_of_a_consistency_proof_is_refused(tree):
    for old, new in ((1025, 2000), (1024, 1999)):
        proof = consistency_proof(old, new, tree)
        first, second = root_of(old, tree), root_of(new, tree)
        for bit in range(256):
            _refused(verify_consistency, old, new, _flipped(first, bit), second, proof)
            _refused(verify_consistency, old, new, first, _flipped(second, bit), proof)
            for n in range(len(proof)):
                bad = [*proof[:n], _flipped(proof[n], bit), *proof[n + 1 :]]
                _refused(verify_consistency, old, new, first, second, bad)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(1, SIZE_MAX), st.randoms(use_true_random=False))
def test_a_proof_for_another_place_or_of_another_length_is_refused(
    tree, leaves, size, chance: random.Random
):
    index = chance.randrange(size)
    proof, leaf = inclusion_proof(index, size, tree), leaf_hash(leaves[index])
    root = root_of(size, tree)
    for place in {index - 1, index + 1, index ^ 1, size, -1} - {index}:
        _refused(verify_inclusion, place, size, leaf, proof, root)
    for bad in (proof[1:], proof[:-1]) if proof else ():
        _refused(verify_inclusion, index, size, leaf, bad, root)
    for extra in (EMPTY_ROOT, root, leaf, b"short", bytes(32)):
        _refused(verify_inclusion, index, size, leaf, [*proof, extra], root)
        _refused(verify_inclusion, index, size, leaf, [extra, *proof], root)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.tuples(st.integers(1, SIZE_MAX), st.integers(1, SIZE_MAX)).map(sorted))
def test_a_consistency_proof_for_other_sizes_is_refused(tree, pair):
    old, new = pair
    proof, first, second = (
        consistency_proof(old, new, tree),
        root_of(old, tree),
        root_of(new, tree),
    )
    for extra in (EMPTY_ROOT, first, second, b"", bytes(32)):
        _refused(verify_consistency, old, new, first, second, [*proof, extra])
    if old < new:
        _refused(verify_consistency, new, old, second, first, proof)
        _refused(verify_consistency, old, new, first, second, [])
        _refused(verify_consistency, old, new, first, second, proof[:-1])
        _refused(verify_consistency, old, new, second, first, proof)
        _refused(verify_consistency, 0, new, first, second, [])
        _refused(verify_consistency, old, old, first, second, [])


def test_a_leaf_is_never_taken_for_a_node():
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    tree = Tree([b"a", b"b"])
    assert leaf_hash(left + right) != tree.root
    _refused(verify_inclusion, 0, 1, leaf_hash(left + right), [], tree.root)


def test_what_lies_outside_a_tree_has_no_proof(tree):
    for bad in ((0, 0), (5, 5), (-1, 5)):
        with pytest.raises(ValueError, match="outside"):
            inclusion_proof(*bad, tree)
    with pytest.raises(ValueError, match="no beginning"):
        consistency_proof(6, 5, tree)
    with pytest.raises(ValueError, match="hashes"):
        CompactRange(3, [EMPTY_ROOT])
