"""Commitments to personal values: binding, hiding without the salt, checked offline."""

import hashlib
import json
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.proofs.annex import Disclosure, commitment, commitments_of, main
from ledger.proofs.leaf import Leaf
from ledger.proofs.merkle import Tree, inclusion_proof
from ledger.proofs.notes import Signer, write_checkpoint, write_inclusion
from ledger.proofs.verify import Checkpoint, ProofError

SALT = bytes(range(32))
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


def disclosure(**values: str) -> Disclosure:
    opened = {name: (SALT, value) for name, value in values.items()}
    annex = {name: commitment(SALT, name, value).hex() for name, value in values.items()}
    body = json.dumps({"command": {"annex": annex}}).encode()
    return Disclosure("KZ-2025-x", 7, body, opened)


def test_the_commitment_is_what_the_decision_says():
    assert commitment(SALT, "payee_name", "Әлия").hex() == (
        "bf5cbc8ecd03b80dea2899f1b73c57d366b8b62742a431d2a6b153b08029ff85"
    )


@given(texts, texts, st.binary(min_size=32, max_size=32))
def test_another_value_field_or_salt_is_another_commitment(one, other, salt):
    mine = commitment(SALT, "payee_name", one)
    assert (commitment(SALT, "payee_name", other) == mine) is (
        normalize("NFC", one) == normalize("NFC", other)
    )
    assert (commitment(salt, "payee_name", one) == mine) is (salt == SALT)
    assert commitment(SALT, "payee_nam", "e" + one) != mine


@pytest.mark.parametrize("salt", [b"", SALT[1:], SALT + b"\0"])
def test_a_salt_of_another_length_is_refused(salt):
    with pytest.raises(ProofError):
        commitment(salt, "payee_name", "x")


def test_a_disclosure_reads_and_verifies():
    shown = disclosure(payee_name="Әлия", payee_number="850101300124")
    again = Disclosure.decode(shown.encode())
    assert again == shown
    assert again.verify() == {"payee_name": "Әлия", "payee_number": "850101300124"}


def test_every_changed_bit_of_salt_and_value_is_refused():
    shown = disclosure(payee_name="Aliya")
    for index in range(32 * 8):
        salt = bytearray(SALT)
        salt[index // 8] ^= 1 << index % 8
        with pytest.raises(ProofError, match="payee_name"):
            Disclosure("b", 1, shown.body, {"payee_name": (bytes(salt), "Aliya")}).verify()
    for place in range(5):
        value = "Aliya"[:place] + "x" + "Aliya"[place + 1 :]
        with pytest.raises(ProofError, match="payee_name"):
            Disclosure("b", 1, shown.body, {"payee_name": (SALT, value)}).verify()


def test_a_value_of_another_field_is_refused():
    shown = disclosure(payee_name="Aliya")
    with pytest.raises(ProofError, match="official_name"):
        Disclosure("b", 1, shown.body, {"official_name": (SALT, "Aliya")}).verify()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"command":{}}', b'{"command":{"annex":7}}',
                                  b'{"command":{"annex":{"payee_name":"Aliya"}}}',
                                  b'{"command":{"annex":{"payee_name":"00"}}}'])  # fmt: skip
def test_a_body_without_commitments_is_refused(body):
    with pytest.raises(ProofError):
        commitments_of(body)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"v":2}', b'{"v":1}', b"\xff"])
def test_what_is_no_disclosure_is_refused(raw):
    with pytest.raises(ProofError):
        Disclosure.decode(raw)


@pytest.fixture
def files(tmp_path):
    """A disclosure and the proof of its event, by a log of three events."""
    shown, signer = disclosure(payee_name="Aliya"), Signer("log.example", SALT)
    leaf = Leaf(log="KZ-2025-x", position=7, kind="budget.payment.executed", recorded_at=1,
                chain=SALT, body=hashlib.sha256(shown.body).digest()).encode()  # fmt: skip
    tree = Tree([b"a", leaf, b"c"])
    head = write_checkpoint(Checkpoint("log.example", 3, tree.root), [signer])
    (tmp_path / "shown").write_bytes(shown.encode())
    (tmp_path / "proof").write_bytes(write_inclusion(1, inclusion_proof(1, 3, tree), head, leaf))
    return tmp_path, signer.key.text


def test_values_body_and_tree_are_verified_in_one_go(files, capsys):
    folder, key = files
    arguments = [str(folder / "shown"), "--proof", str(folder / "proof"), "--key", key]
    assert main(arguments) == 0
    assert "event 2 of 3 in log.example" in capsys.readouterr().out
    assert main(arguments[:1]) == 0


def test_a_proof_of_another_event_is_refused(files, capsys):
    folder, key = files
    other = disclosure(payee_name="Somebody")
    (folder / "shown").write_bytes(other.encode())
    arguments = [str(folder / "shown"), "--proof", str(folder / "proof"), "--key", key]
    assert main(arguments) == 1
    assert "NOT VERIFIED (body)" in capsys.readouterr().err
    moved = Disclosure("KZ-2025-x", 8, other.body, other.opened)
    (folder / "shown").write_bytes(moved.encode())
    assert main(arguments) == 1
    assert "NOT VERIFIED (leaf)" in capsys.readouterr().err
