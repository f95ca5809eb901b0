"""The leaf of an event: one spelling, bound to the event's bytes, nothing of a person."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ledger.instruments  # noqa: F401 - fills the registry of events
from ledger.events import EVENTS, link, log_id
from ledger.proofs.leaf import FIELDS, INTEGER_MAX, Leaf
from ledger.proofs.verify import ProofError

GOLDEN = (
    b'{"body":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",'
    b'"chain":"0000000000000000000000000000000000000000000000000000000000000000",'
    b'"kind":"budget.payment.executed","log":"KZ-2025-republic","position":7,'
    b'"recorded_at":1739836800000000,"v":1}'
)
LEAF = Leaf(
    log="KZ-2025-republic",
    position=7,
    kind="budget.payment.executed",
    recorded_at=1_739_836_800_000_000,
    chain=bytes(32),
    body=hashlib.sha256(b"hello").digest(),
)
TOKENS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=' "\\'),
    min_size=1,
    max_size=200,
)
HASHES = st.binary(min_size=32, max_size=32)


def test_the_bytes_of_a_leaf_never_change():
    assert LEAF.encode() == GOLDEN
    assert Leaf.decode(GOLDEN) == LEAF


@given(TOKENS, TOKENS, st.integers(1, INTEGER_MAX), st.integers(0, INTEGER_MAX), HASHES, HASHES)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_each_leaf_reads_back_and_is_canonical_json(log, kind, position, recorded_at, chain, body):
    leaf = Leaf(
        log=log, kind=kind, position=position, recorded_at=recorded_at, chain=chain, body=body
    )
    raw = leaf.encode()
    assert Leaf.decode(raw) == leaf
    fields = json.loads(raw)
    assert tuple(fields) == FIELDS
    canonical = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert canonical.encode() == raw


def test_each_flipped_bit_is_another_leaf_or_none():
    for bit in range(len(GOLDEN) * 8):
        bad = bytearray(GOLDEN)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            assert Leaf.decode(bytes(bad)) != LEAF
        except ProofError:
            continue


@pytest.mark.parametrize(
    "bad",
    [
        GOLDEN + b"\n", GOLDEN.replace(b",", b", ", 1), GOLDEN.replace(b'"v":1', b'"v":2'),
        GOLDEN.replace(b":7,", b":7.0,"), GOLDEN.replace(b":7,", b":true,"),
        GOLDEN.replace(b'"log"', b'"payee":"Aliya","log"'), GOLDEN.replace(b"2cf2", b"2CF2"),
        GOLDEN.replace(b":7,", b":0,"), GOLDEN.replace(b":7,", b":9007199254740992,"),
        GOLDEN.replace(b"KZ-", b"K Z-"), b"[]", b"7", b"", b"\xff", b'{"v":1}', b"null",
        b"[" * 60_000,
    ],
)  # fmt: skip
def test_another_spelling_or_field_is_refused(bad):
    assert bad != GOLDEN
    with pytest.raises(ProofError):
        Leaf.decode(bad)


def test_a_leaf_is_bound_to_the_bytes_that_the_ledger_chains():
    """The chain of `ledger.events.link`, computed here without the ledger."""
    previous, body = hashlib.sha256(b"before").digest(), b'{"amount":1}'
    chain = link(previous, log_id("KZ-2025-republic"), 7, body)
    leaf = Leaf(
        log="KZ-2025-republic",
        position=7,
        kind="budget.payment.executed",
        recorded_at=1,
        chain=chain,
        body=hashlib.sha256(body).digest(),
    )
    leaf.check_body(previous, body)
    for bad_previous, bad_body in ((previous, body + b" "), (bytes(32), body)):
        with pytest.raises(ProofError):
            leaf.check_body(bad_previous, bad_body)


def test_every_kind_of_event_fits_a_leaf():
    for kind in EVENTS:
        leaf = Leaf(
            log="KZ-2025-republic",
            position=1,
            kind=kind,
            recorded_at=0,
            chain=bytes(32),
            body=bytes(32),
        )
        assert len(leaf.encode()) < 400
