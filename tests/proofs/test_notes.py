"""C2SP signed-note, tlog-checkpoint and tlog-cosignature, by their published examples."""

import base64

import pytest

from ledger.proofs.notes import Signer, add_signatures, write_checkpoint, write_note
from ledger.proofs.verify import (
    COSIGNATURE,
    EMPTY_ROOT,
    Checkpoint,
    Key,
    Note,
    ProofError,
    Trust,
)
from tests.proofs import vectors as v

HEAD = Checkpoint("ledger.example/kz", 5, bytes(range(32)))


def test_the_published_note_is_verified():
    key = Key.parse(v.C2SP_VKEY)
    note = Note.parse(v.C2SP_NOTE)
    assert note.text == b"This is an example message.\n"
    assert note.verified([key]) == [(key, 0)]
    assert key.text == v.C2SP_VKEY


def test_gos_signer_signs_gos_bytes():
    signer = Signer.parse(v.PETER_SKEY)
    assert signer.key.text == v.PETER_VKEY
    assert signer.text == v.PETER_SKEY
    text = v.PETER_TEXT.encode()
    assert signer.sign(text) == v.PETER_LINE
    raw = write_note(text, [v.PETER_LINE])
    both = add_signatures(raw, [v.ENOCH_LINE, v.PETER_LINE])
    assert both.decode() == f"{v.PETER_TEXT}\n{v.PETER_LINE}\n{v.ENOCH_LINE}\n"
    keys = [Key.parse(v.PETER_VKEY), Key.parse(v.ENOCH_VKEY)]
    assert [key for key, _ in Note.parse(both).verified(keys)] == keys
    assert [key for key, _ in Note.parse(both).verified(keys[1:])] == keys[1:]


def test_a_generated_key_of_zeros_is_gos():
    """ExampleSign_add_signatures makes EnochRoot from a reader of zeros: the seed of zeros."""
    assert Signer("EnochRoot", bytes(32)).key.text == v.ENOCH_VKEY


def test_gos_checksum_database_is_verified():
    head = Trust((Key.parse(v.GO_VKEY),), "go.sum database tree").open(v.GO_CHECKPOINT)
    assert head.size == 6476701
    assert head.text + b"\n" == v.GO_CHECKPOINT[: len(head.text) + 1]


def test_a_cosignature_of_a_running_witness_is_verified():
    note = Note.parse(v.WITNESSED)
    key = Key.parse(v.WITNESS_VKEY)
    assert note.verified([key]) == [(key, v.WITNESS_TIME)]
    assert Checkpoint.parse(note.text).size == 1432088532
    with pytest.raises(ProofError, match="trusted key of the log"):
        Trust((Key.parse(v.GO_VKEY),), "x", (key,), 1).open(v.WITNESSED)


def test_every_part_of_a_vkey_is_refused_and_every_changed_byte():
    """TestNewVerifier of golang.org/x/mod/sumdb/note."""
    text = v.PETER_VKEY
    cut = {text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)} - {text}
    changed = {text[:i] + chr(ord(text[i]) + 1) + text[i + 1 :] for i in range(len(text))}
    for bad in [*cut, *changed, *v.BAD_VKEYS, "", "a+b", "a b+00000000+AQ=="]:
        with pytest.raises(ProofError):
            Key.parse(bad)


def test_every_part_of_an_skey_is_refused_and_every_changed_byte():
    """TestNewSigner of golang.org/x/mod/sumdb/note; no error shows the secret."""
    text = v.PETER_SKEY
    cut = {text[:i] for i in range(len(text))} | {text[i:] for i in range(1, len(text))}
    changed = {text[:i] + chr(ord(text[i]) + 1) + text[i + 1 :] for i in range(len(text))}
    for bad in cut | changed:
        with pytest.raises(ProofError) as caught:
            Signer.parse(bad)
        assert text[-20:] not in str(caught.value)
    assert "PRIVATE" not in repr(Signer.parse(text))


@pytest.mark.parametrize("kind", [1, COSIGNATURE])
def test_generated_keys_differ_and_read_back(kind):
    first, second = (Signer.generate("ledger.example/kz", kind) for _ in "12")
    assert first.key != second.key
    assert Signer.parse(first.text).key == first.key == Key.parse(first.key.text)


def test_a_checkpoint_is_written_as_published():
    """tlog-checkpoint, Note text: origin, size, root, extension lines."""
    root = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    head = Checkpoint("example.com/behind-the-sofa", 20852163, root)
    assert head.text == (
        b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )
    assert Checkpoint.parse(head.text + b"x\n").extensions == ("x",)


def _texts():
    good = HEAD.text.decode()
    origin, size, root, _ = good.split("\n")
    yield from ("", "\n", good[:-1], f"{origin}\n{size}\n", good + "\n", f"\n{good}")
    for bad in ("05", "-5", "+5", " 5", "5 ", "5.0", "0x5", "٥", "", str(2**63), "9" * 5000):
        yield f"{origin}\n{bad}\n{root}\n"
    for bad in (root[:-1], root + "=", "AAAA", root[:-2] + "9=", root.replace("A", "-", 1)):
        yield f"{origin}\n{size}\n{bad}\n"
    yield f"{origin}\n0\n{root}\n"
    yield f"{origin}\n{size}\n{root}\n\nx\n"


@pytest.mark.parametrize("text", list(_texts()))
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(ProofError):
        Checkpoint.parse(text.encode())


def test_the_empty_tree_has_a_checkpoint_text_but_is_never_opened(signer):
    head = Checkpoint(signer.key.name, 0, EMPTY_ROOT)
    assert Checkpoint.parse(head.text) == head
    with pytest.raises(ProofError, match="empty"):
        Trust((signer.key,), head.origin).open(write_checkpoint(head, [signer]))


def test_each_flipped_bit_of_a_checkpoint_is_refused(signer, witnesses):
    """The text, the log's line and both cosignatures: whatever changes, nothing is proven."""
    raw = write_checkpoint(HEAD, [signer])
    raw = add_signatures(raw, [one.cosign(HEAD.text, 1_700_000_000) for one in witnesses])
    trust = Trust((signer.key,), HEAD.origin, tuple(one.key for one in witnesses), 2)
    head = trust.open(raw)
    assert (head.size, head.root, head.raw) == (5, HEAD.root, raw)
    assert [moment for _, moment in head.cosigned] == [1_700_000_000] * 2
    for bit in range(len(raw) * 8):
        bad = bytearray(raw)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProofError):
            trust.open(bytes(bad))


def test_unknown_lines_are_ignored_and_a_wrong_known_one_spoils_the_note(signer):
    other = Signer(signer.key.name, b"\x07" * 32)
    raw = write_checkpoint(HEAD, [other, signer])
    trust = Trust((signer.key,), HEAD.origin)
    assert trust.open(raw).size == 5
    with pytest.raises(ProofError, match="no signature of a trusted key"):
        trust.open(write_checkpoint(HEAD, [other]))
    wrong = signer.sign(b"something else\n")
    with pytest.raises(ProofError, match="is wrong"):
        Trust((signer.key, other.key), HEAD.origin).open(
            add_signatures(write_checkpoint(HEAD, [other]), [wrong])
        )


def test_a_rotation_is_followed_with_either_key(signer):
    new = Signer(signer.key.name, b"\x09" * 32)
    raw = write_checkpoint(HEAD, [signer, new])
    for keys in ((signer.key,), (new.key,), (signer.key, new.key)):
        assert Trust(keys, HEAD.origin).open(raw).size == 5


def test_a_quorum_counts_each_witness_once(signer, witnesses):
    one, two = witnesses
    keys = (one.key, two.key)
    raw = add_signatures(
        write_checkpoint(HEAD, [signer]), [one.cosign(HEAD.text, 1), one.cosign(HEAD.text, 2)]
    )
    assert len(Trust((signer.key,), HEAD.origin, keys, 1).open(raw).cosigned) == 1
    with pytest.raises(ProofError, match="1 of 2"):
        Trust((signer.key,), HEAD.origin, keys, 2).open(raw)


@pytest.mark.parametrize("build", [
    lambda s, w: Trust((), "o"),
    lambda s, w: Trust((w.key,), "o"),
    lambda s, w: Trust((s.key,), "o", (s.key,), 1),
    lambda s, w: Trust((s.key,), "o", (w.key,), 2),
    lambda s, w: Trust((s.key,), "o", (w.key, Key("alias", 4, w.key.public)), 2),
])  # fmt: skip
def test_a_trust_that_would_deceive_its_owner_is_refused(build, signer, witnesses):
    with pytest.raises(ProofError):
        build(signer, witnesses[0])


def test_a_plain_signature_is_no_cosignature_and_the_reverse(signer, witnesses):
    with pytest.raises(ProofError):
        signer.cosign(HEAD.text, 1)
    with pytest.raises(ProofError):
        witnesses[0].sign(HEAD.text)
    with pytest.raises(ProofError):
        witnesses[0].cosign(b"no checkpoint\n", 1)
    with pytest.raises(ProofError):
        witnesses[0].cosign(HEAD.text, 2**63)


def test_another_origin_is_refused(signer):
    with pytest.raises(ProofError, match="calls itself"):
        Trust((signer.key,), "ledger.example/am").open(write_checkpoint(HEAD, [signer]))


NOTES = [
    b"", b"text\n", b"text\n\n", b"text\n\n\n", b"\xff\n\n", v.C2SP_NOTE[:-1],
    v.C2SP_NOTE.replace("—".encode(), b"-"), v.C2SP_NOTE + b"x\n", v.C2SP_NOTE + b"\n",
    v.C2SP_NOTE.replace(b"This", b"Th\tis"), v.C2SP_NOTE.replace(b"\n", b"\r\n"),
    v.C2SP_NOTE.replace(b"foo ", b"f+o "), v.C2SP_NOTE.replace(b"foo ", b"f o "),
    v.C2SP_NOTE.replace(b"example.com/foo Uw", b" Uw"), b"t\n\n\xe2\x80\x94 a AAAAAA==\n",
    b"t\n\n" + b"\xe2\x80\x94 a AAAAAAA=\n" * 65, b"a" * (1 << 20) + v.C2SP_NOTE,
]  # fmt: skip


@pytest.mark.parametrize("raw", NOTES)
def test_what_is_no_note_is_refused(raw):
    with pytest.raises(ProofError):
        Note.parse(raw)


def test_a_text_may_hold_empty_lines_and_sixteen_signatures_are_read():
    """signed-note, Format: the last empty line parts text and signatures; at least 16 lines."""
    signers = [Signer(f"s{n}", bytes([n]) * 32) for n in range(16)]
    text = b"a\n\nb\n"
    raw = write_note(text, [signer.sign(text) for signer in signers])
    assert len(Note.parse(raw).verified([signer.key for signer in signers])) == 16
    with pytest.raises(ProofError):
        write_note(b"no newline", [])


def test_a_cosignature_beyond_the_range_of_time_is_refused(witnesses):
    """tlog-cosignature, Format: the timestamp must not exceed 2^63 - 1, however well signed."""
    witness = witnesses[0]
    text = b"cosignature/v1\ntime %d\n%b" % (2**63, HEAD.text)
    signature = (2**63).to_bytes(8, "big") + witness._private.sign(text)
    with pytest.raises(ProofError, match="out of range"):
        witness.key.verify(HEAD.text, signature)


def test_a_checkpoint_that_could_not_be_read_again_is_not_signed(signer):
    for head in (Checkpoint("a\n7", 5, HEAD.root), Checkpoint("a", 0, HEAD.root)):
        with pytest.raises(ProofError):
            write_checkpoint(head, [signer])
