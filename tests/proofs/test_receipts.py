"""Receipts: one signature a batch, every altered bit refused, redeemed or broken promises."""

import json

import pytest

from ledger.proofs.leaf import Leaf
from ledger.proofs.merkle import Tree, inclusion_proof
from ledger.proofs.notes import Signer
from ledger.proofs.receipts import (
    HEADER,
    Receipt,
    encode_answer,
    sign_batch,
    split_receipts,
    write_root,
)
from ledger.proofs.verify import INCLUSION, PROOF_HEADER, Checkpoint, Note, ProofError, read_proof

ORIGIN = "ledger.example/log"
SIGNER = Signer(f"{ORIGIN}/receipts", bytes(32))
KEYS = [SIGNER.key]
HASH = "ab" * 32


def answer(position=7, **changed):
    return {
        "budget": "KZ-2025-x", "command_id": "00000000-0000-7000-8000-000000000001",
        "event": {"body": HASH, "chain": HASH, "kind": "budget.payment.executed"}, "events": 1,
        "flags": [], "position": position, "recorded_at": 1_739_836_800_000_000, "refusal": None,
        "status": "accepted", "v": 1, **changed,
    }  # fmt: skip


REFUSED = answer(8, status="refused", refusal={
    "code": "limit-exceeded", "message": "…", "rule": "I7", "law": "K25 110", "figures": [],
    "limits": [{"limit": "cash", "subject": "budget", "day": "2025-02-18", "asked_minor": 2,
                "available_minor": 1}]})  # fmt: skip


def batch(*answers, signers=(SIGNER,), origin=ORIGIN, moment=5):
    return sign_batch(origin, [encode_answer(one) for one in answers], signers, moment)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 65])
def test_each_answer_of_a_batch_has_its_receipt(size):
    answers = [answer(position + 1) for position in range(size)]
    papers = batch(*answers)
    for paper, one in zip(papers, answers, strict=True):
        found = Receipt.open(paper, KEYS)
        assert (found.answer, found.origin, found.signed_at) == (one, ORIGIN, 5)
        assert found.keys == (SIGNER.key,)
    signatures = {paper.rpartition(b"\n\n")[2] for paper in papers}
    assert len(signatures) == 1


@pytest.mark.parametrize("size", [*range(1, 70), 255, 256, 257])
def test_a_batch_is_the_tree_of_rfc_9162(size):
    leaves = [encode_answer(answer(place + 1)) for place in range(size)]
    tree = Tree(leaves)
    for index, paper in enumerate(sign_batch(ORIGIN, leaves, [SIGNER], 5)):
        file = PROOF_HEADER.encode() + paper.removeprefix(HEADER.encode())
        _, hashes, note, _ = read_proof(file, INCLUSION)
        assert list(hashes) == inclusion_proof(index, size, tree)
        assert write_root(ORIGIN, size, tree.root, 5) == Note.parse(note).text


def test_a_receipt_tells_a_refusal_with_rule_law_and_figures():
    found = Receipt.open(batch(REFUSED)[0], KEYS)
    assert found.answer["refusal"]["limits"][0]["available_minor"] == 1
    assert (found.answer["position"], found.answer["refusal"]["law"]) == (8, "K25 110")


def test_every_altered_bit_is_refused():
    paper = batch(answer(), REFUSED, answer(9))[1]
    for index in range(len(paper) * 8):
        altered = bytearray(paper)
        altered[index // 8] ^= 1 << index % 8
        with pytest.raises(ProofError):
            Receipt.open(bytes(altered), KEYS)


def test_a_cut_or_longer_receipt_is_refused():
    paper = batch(answer(), REFUSED)[0]
    for end in range(len(paper)):
        with pytest.raises(ProofError):
            Receipt.open(paper[:end], KEYS)
    for more in (b"\n", b"x", paper):
        with pytest.raises(ProofError):
            Receipt.open(paper + more, KEYS)


def test_a_receipt_of_another_key_or_origin_is_refused():
    other = Signer(f"{ORIGIN}/receipts", bytes([1]) * 32)
    log = Signer(ORIGIN, bytes([2]) * 32)
    stranger = Signer("other.example/receipts", bytes([3]) * 32)
    for signer, keys in ((other, KEYS), (log, [log.key]), (stranger, [stranger.key])):
        with pytest.raises(ProofError):
            Receipt.open(batch(answer(), signers=[signer])[0], keys)
    with pytest.raises(ProofError):
        Receipt.open(batch(answer())[0], [])


def test_both_keys_of_a_rotation_verify():
    newer = Signer(f"{ORIGIN}/receipts", bytes([1]) * 32)
    paper = batch(answer(), signers=[SIGNER, newer])[0]
    for keys in (KEYS, [newer.key], [SIGNER.key, newer.key]):
        assert Receipt.open(paper, keys).keys == tuple(keys)


def test_the_signed_root_can_never_be_read_as_a_checkpoint():
    with pytest.raises(ProofError):
        Checkpoint.parse(write_root(ORIGIN, 3, bytes(32), 5))
    with pytest.raises(ProofError):
        Checkpoint.parse(Note.parse(batch(answer())[0].partition(b"\n\n")[2]).text)


@pytest.mark.parametrize("one", [
    {**answer(), "v": 2}, {**answer(), "more": 1}, {k: v for k, v in answer().items() if k != "v"},
])  # fmt: skip
def test_an_answer_of_other_fields_is_not_signed(one):
    with pytest.raises(ProofError):
        encode_answer(one)


@pytest.mark.parametrize("leaf", [
    json.dumps(answer()).encode(), b"[]", b"{}", b"\xff",
    encode_answer(answer(event=None)), encode_answer(answer(None)),
    encode_answer(answer(event={"body": "00", "chain": HASH, "kind": "k"})),
], ids=str)  # fmt: skip
def test_a_signed_leaf_that_is_no_answer_is_refused(leaf):
    with pytest.raises(ProofError):
        Receipt.open(sign_batch(ORIGIN, [leaf], [SIGNER], 5)[0], KEYS)


def test_a_receipt_is_redeemed_by_the_leaf_it_promised():
    found = Receipt.open(batch(answer())[0], KEYS)
    promised = Leaf(log="KZ-2025-x", position=7, kind="budget.payment.executed",
                    recorded_at=1_739_836_800_000_000, chain=bytes.fromhex(HASH),
                    body=bytes.fromhex(HASH))  # fmt: skip
    found.redeem(promised.encode())


BROKEN = {
    "broken-promise": [{"body": bytes(32)}, {"chain": bytes(32)}, {"recorded_at": 1},
                       {"kind": "ledger.command.refused"}],
    "leaf": [{"position": 8}, {"log": "KZ-2025-y"}],
}  # fmt: skip


@pytest.mark.parametrize(("code", "changed"), [
    (code, changed) for code, cases in BROKEN.items() for changed in cases])  # fmt: skip
def test_another_event_in_its_place_is_a_broken_promise(code, changed):
    found = Receipt.open(batch(answer())[0], KEYS)
    leaf = Leaf(**{**vars(found.envelope), **changed})
    with pytest.raises(ProofError) as raised:
        found.redeem(leaf.encode())
    assert raised.value.code == code


def test_an_answer_that_was_not_stored_promises_no_event():
    found = Receipt.open(batch(answer(None, event=None, status="withheld"))[0], KEYS)
    assert found.envelope is None
    with pytest.raises(ProofError, match="nothing was stored"):
        found.redeem(b"")


def test_a_file_of_several_receipts_is_divided_again():
    papers = batch(answer(), REFUSED, answer(9))
    assert split_receipts(b"".join(papers)) == papers
    for raw in (b"", b"x" + papers[0], HEADER.encode()[1:]):
        with pytest.raises(ProofError):
            split_receipts(raw)
