"""The independent verifier: is this checkpoint signed, this event in it, this log still the same?

One file that needs Python 3.11 and `cryptography`, nothing of the ledger: run it from the wheel
(`python -m ledger.proofs.verify`) or copy it to a laptop. It checks hashes, proofs and signatures,
not budget rules; it opens no network connection and no database.

RFC 9162 section 2.1 (the hashes of RFC 6962), C2SP signed-note, tlog-checkpoint, tlog-proof,
tlog-cosignature (Ed25519, v1) and, for consistency proofs, the request of tlog-witness.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()
"""Root of the tree without leaves (RFC 9162 section 2.1.1)."""
SIGNATURE, COSIGNATURE = 0x01, 0x04
"""Signature types of signed-note: Ed25519 over the text; timestamped checkpoint cosignature."""
SIZE_MAX = 2**63 - 1
NOTE_BYTES_MAX, SIGNATURES_MAX = 1 << 20, 64
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
DASH = "\N{EM DASH} "
ALARMS = frozenset({"fork", "shrunk", "empty", "inconsistent"})
"""What accuses the log, not the paper: the command then ends with 3."""
Hashes = Sequence[bytes]
DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


class ProofError(Exception):
    """What was shown proves nothing; `code` says which rule it breaks."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the stable code and a sentence for people."""
        super().__init__(message)
        self.code = code


def require(held: object, code: str, message: str) -> None:
    """Raise a ProofError unless it held."""
    if not held:
        raise ProofError(code, message)


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Hashes, root: bytes) -> None:
    """Raise unless the leaf hash stands at the index of the tree (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofError("inclusion", f"index {index} lies outside a tree of {size} leaves")
    _check_hashes([leaf, *proof])
    computed = leaf
    for other, on_left in _steps(index, size - 1, proof):
        computed = node_hash(other, computed) if on_left else node_hash(computed, other)
    require(computed == root, "inclusion", "the inclusion proof leads to another root")


def verify_consistency(size: int, grown: int, root: bytes, new_root: bytes, proof: Hashes) -> None:
    """Raise unless the larger tree begins with the smaller one (RFC 9162 section 2.1.4.2)."""
    _check_hashes([root, new_root, *proof])
    if not 0 <= size <= grown:
        raise ProofError("shrunk", f"a tree of {size} leaves cannot shrink to {grown}")
    if size in (0, grown):
        if root != (new_root if size else EMPTY_ROOT) or (grown == 0 and new_root != EMPTY_ROOT):
            raise ProofError("fork", f"two different roots for one tree of {size} leaves")
        require(not proof, "consistency", "this consistency proof must be empty")
        return
    path = [root, *proof] if size & (size - 1) == 0 else list(proof)
    require(path, "consistency", "the consistency proof is empty")
    place, last = size - 1, grown - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for other, on_left in _steps(place, last, path[1:]):
        old = node_hash(other, old) if on_left else old
        new = node_hash(other, new) if on_left else node_hash(new, other)
    if (old, new) != (root, new_root):
        raise ProofError("consistency", "the consistency proof does not join the two roots")


def _steps(place: int, last: int, proof: Hashes) -> Iterator[tuple[bytes, bool]]:
    """Yield each hash of a proof and whether it stands on the left, from the leaves to the root."""
    for other in proof:
        require(last, "length", "the proof is too long")
        on_left = bool(place & 1) or place == last
        yield other, on_left
        while on_left and place & 1 == 0 and place:
            place, last = place >> 1, last >> 1
        place, last = place >> 1, last >> 1
    require(not last, "length", "the proof is too short")


def _check_hashes(hashes: Iterable[bytes]) -> None:
    """Refuse anything that is not as long as a SHA-256 hash."""
    if any(len(one) != HASH_BYTES for one in hashes):
        raise ProofError("malformed", "a hash that has not 32 bytes")


def decode_base64(text: str) -> bytes:
    """Read standard Base 64 in its one canonical spelling (RFC 4648 sections 3.5 and 4)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ProofError("malformed", "not Base 64") from error
    same = base64.b64encode(raw).decode() == text
    require(same, "malformed", "Base 64 in another spelling than the canonical one")
    return raw


def decode_decimal(text: str) -> int:
    """Read an ASCII decimal without leading zeroes, below 2^63."""
    if not DECIMAL.fullmatch(text) or int(text) > SIZE_MAX:
        raise ProofError("malformed", f"not a plain decimal: {text[:40]!r}")
    return int(text)


def _decode_hashes(lines: Iterable[str]) -> tuple[bytes, ...]:
    """Read SHA-256 hashes in Base 64."""
    hashes = tuple(map(decode_base64, lines))
    _check_hashes(hashes)
    return hashes


def is_key_name(name: str) -> bool:
    """Say whether a key may be called so (signed-note, Format)."""
    return bool(name) and "+" not in name and not any(c.isspace() or c < " " for c in name)


@dataclass(frozen=True)
class Key:
    """A verifier key: a name, a signature type and an Ed25519 public key (signed-note)."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read a vkey: `<name>+<hex key id>+<base64 of type and key>`."""
        parts = text.split("+", 2)
        require(len(parts) == 3, "malformed", "a verifier key has three parts")  # noqa: PLR2004
        raw = decode_base64(parts[2])
        known = raw[:1] in (b"\x01", b"\x04") and len(raw) == 1 + HASH_BYTES
        require(known, "malformed", "not an Ed25519 verifier key of type 1 or 4")
        key = cls(parts[0], raw[0], raw[1:])
        if not is_key_name(key.name) or key.id.hex() != parts[1]:
            raise ProofError("malformed", "the verifier key's name or id is not its own")
        return key

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256(name, newline, type, key)."""
        raw = b"%b\n%c%b" % (self.name.encode(), self.kind, self.public)
        return hashlib.sha256(raw).digest()[:4]

    @property
    def text(self) -> str:
        """The key as a vkey."""
        material = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{material}"

    def verify(self, text: bytes, signature: bytes) -> int:
        """Raise unless the signature is this key's; return a cosignature's time, else 0."""
        message, moment = text, 0
        if self.kind == COSIGNATURE:
            moment, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            if moment > SIZE_MAX:
                raise ProofError("signature", f"the time of {self.name} is out of range")
            message = cosigned_message(text, moment)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise ProofError("signature", f"the signature of {self.name} is wrong") from error
        return moment


def cosigned_message(text: bytes, moment: int) -> bytes:
    """Return what a witness signs at a POSIX time (tlog-cosignature, Ed25519 signed message)."""
    return b"cosignature/v1\ntime %d\n%b" % (moment, text)


@dataclass(frozen=True)
class Note:
    """A signed note: its text with the last newline, and (key name, key id, signature) lines."""

    text: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def parse(cls, raw: bytes) -> Note:
        """Read a signed note (signed-note, Format); nothing is verified yet."""
        require(len(raw) <= NOTE_BYTES_MAX, "malformed", "the note is too long")
        try:
            whole = raw.decode()
        except UnicodeDecodeError as error:
            raise ProofError("malformed", "the note is not UTF-8") from error
        text, parted, block = whole.rpartition("\n\n")
        if not parted or not block.endswith("\n") or any(c < " " and c != "\n" for c in whole):
            raise ProofError("malformed", "not a signed note")
        lines = block[:-1].split("\n")
        require(len(lines) <= SIGNATURES_MAX, "malformed", "too many signatures")
        return cls((text + "\n").encode(), tuple(_signature_line(line) for line in lines))

    def verified(self, keys: Iterable[Key]) -> list[tuple[Key, int]]:
        """Return the known keys that signed, with their times; raise if one of them signed wrong.

        Lines of unknown keys are ignored; name and id together name a key (signed-note,
        Signatures).
        """
        known = {(key.name, key.id): key for key in keys}
        found: dict[Key, int] = {}
        for name, identifier, signature in self.signatures:
            key = known.get((name, identifier))
            if key is not None:
                found.setdefault(key, key.verify(self.text, signature))
        return list(found.items())


def _signature_line(line: str) -> tuple[str, bytes, bytes]:
    """Read one signature line (signed-note, Format)."""
    name, parted, encoded = line.removeprefix(DASH).partition(" ")
    if not line.startswith(DASH) or not parted or not is_key_name(name):
        raise ProofError("malformed", "not a signature line")
    raw = decode_base64(encoded)
    require(len(raw) > 4, "malformed", "a signature that is too short")  # noqa: PLR2004 - key id
    return name, raw[:4], raw[4:]


@dataclass(frozen=True)
class Checkpoint:
    """A tree head as its log signed it (tlog-checkpoint); `raw` is the whole note."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    raw: bytes = b""
    cosigned: tuple[tuple[Key, int], ...] = ()

    @property
    def text(self) -> bytes:
        """The text that is signed (tlog-checkpoint, Note text)."""
        root = base64.b64encode(self.root).decode()
        lines = (self.origin, str(self.size), root, *self.extensions)
        return "".join(f"{line}\n" for line in lines).encode()

    @classmethod
    def parse(cls, text: bytes) -> Checkpoint:
        """Read a checkpoint's text; nothing is verified yet."""
        lines = text.decode().split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):  # noqa: PLR2004 - three and the end
            raise ProofError("malformed", "a checkpoint has three non-empty lines or more")
        size, root = decode_decimal(lines[1]), _decode_hashes(lines[2:3])[0]
        require(size or root == EMPTY_ROOT, "malformed", "an empty tree with a root of its own")
        return cls(lines[0], size, root, tuple(lines[3:]))


@dataclass(frozen=True)
class Trust:
    """Whom the reader trusts: the log's keys, the name of the log, witnesses and how many."""

    keys: tuple[Key, ...]
    origin: str
    witnesses: tuple[Key, ...] = ()
    quorum: int = 0

    def __post_init__(self) -> None:
        """Refuse keys of the wrong type and witnesses that would be counted twice."""
        wrong = [key.name for key in self.keys if key.kind != SIGNATURE]
        wrong += [key.name for key in self.witnesses if key.kind != COSIGNATURE]
        if wrong or not self.keys:
            raise ProofError("trust", f"a log key has type 1, a witness key type 4: {wrong}")
        publics = [key.public for key in (*self.keys, *self.witnesses)]
        require(len(publics) == len(set(publics)), "trust", "one public key is named twice")
        reached = 0 <= self.quorum <= len(self.witnesses)
        require(reached, "trust", f"a quorum of {self.quorum} cannot be reached")

    def open(self, raw: bytes) -> Checkpoint:
        """Return a checkpoint that a trusted key and enough witnesses signed, or raise."""
        note = Note.parse(raw)
        signed = note.verified((*self.keys, *self.witnesses))
        ours = any(key in self.keys for key, _ in signed)
        require(ours, "signature", "no signature of a trusted key of the log")
        head = Checkpoint.parse(note.text)
        if head.origin != self.origin:
            raise ProofError("origin", f"the log calls itself {head.origin}, not {self.origin}")
        cosigned = tuple((key, moment) for key, moment in signed if key in self.witnesses)
        if len(cosigned) < self.quorum:
            raise ProofError("quorum", f"{len(cosigned)} of {self.quorum} cosignatures needed")
        require(head.size, "empty", "the log signed an empty tree: it shows no event at all")
        return Checkpoint(head.origin, head.size, head.root, head.extensions, raw, cosigned)


@dataclass(frozen=True)
class InclusionFile:
    """A `.tlog-proof` file (tlog-proof, Format); `extra` is trusted only as far as it is proven."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    @classmethod
    def parse(cls, raw: bytes) -> InclusionFile:
        """Read the file; nothing is verified yet."""
        lines, checkpoint = _split(raw)
        require(lines[0] == PROOF_HEADER, "malformed", f"the file is no {PROOF_HEADER}")
        extra, rest = b"", lines[1:]
        if rest and rest[0].startswith("extra "):
            extra, rest = decode_base64(rest[0][6:]), rest[1:]
        require(rest and rest[0].startswith("index "), "malformed", "the proof names no index")
        return cls(decode_decimal(rest[0][6:]), _decode_hashes(rest[1:]), checkpoint, extra)


@dataclass(frozen=True)
class ConsistencyFile:
    """A consistency proof as a witness is asked (tlog-witness, add-checkpoint request body)."""

    old_size: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes

    @classmethod
    def parse(cls, raw: bytes) -> ConsistencyFile:
        """Read the file; nothing is verified yet."""
        lines, checkpoint = _split(raw)
        require(lines[0].startswith("old "), "malformed", "the file does not begin with `old `")
        return cls(decode_decimal(lines[0][4:]), _decode_hashes(lines[1:]), checkpoint)


def _split(raw: bytes) -> tuple[list[str], bytes]:
    """Part a file at its first empty line into head lines and checkpoint."""
    head, parted, checkpoint = raw.partition(b"\n\n")
    if not parted or len(raw) > NOTE_BYTES_MAX or not head.isascii():
        raise ProofError("malformed", "not a proof file")
    return head.decode().split("\n"), checkpoint


def join(old: Checkpoint, new: Checkpoint, proof: ConsistencyFile | None) -> None:
    """Raise unless the new tree is the old one grown; a fork between two signed roots is named."""
    shrunk = f"the log had {old.size} events and now shows {new.size}"
    require(new.size >= old.size, "shrunk", shrunk)
    if new.size == old.size:
        verify_consistency(old.size, new.size, old.root, new.root, ())
        return
    if proof is None:
        raise ProofError("unproven", f"a consistency proof from size {old.size} is needed")
    if proof.old_size != old.size or Note.parse(proof.checkpoint).text != new.text:
        raise ProofError("unproven", f"the proof is not from size {old.size} to {new.size}")
    try:
        verify_consistency(old.size, new.size, old.root, new.root, proof.hashes)
    except ProofError as error:
        hint = f"if the log has no better proof from {old.size} to {new.size}, it has forked"
        raise ProofError("inconsistent", f"{error}: {hint}") from error


def remember(path: Path, head: Checkpoint) -> None:
    """Write the last checkpoint seen, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(head.raw)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def describe_leaf(leaf: bytes, body: bytes | None) -> str:
    """Return a leaf for people; raise if a body is given that is not the proven event's."""
    try:
        envelope = json.loads(leaf)
        proven = envelope["body"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ProofError("leaf", "the leaf is not a public envelope of an event") from error
    if body is not None and hashlib.sha256(body).hexdigest() != proven:
        raise ProofError("body", "the body is not the one whose hash the tree holds")
    lines = [f"  {name}: {json.dumps(value)}" for name, value in envelope.items()]
    return "\n".join([*lines, *(["  (its body was compared)"] if body is not None else [])])


def _check_checkpoint(options: argparse.Namespace, trust: Trust, seen: Checkpoint | None) -> str:
    """Verify a checkpoint and that the remembered tree grew into it."""
    head, grown = trust.open(options.file.read_bytes()), "first one seen: nothing to compare with"
    if seen is not None:
        join(seen, head, options.proof)
        grown = f"the same tree as remembered at {seen.size}"
    follow(options, seen, head)
    return f"OK checkpoint {head.origin} size {head.size} ({grown}){witnessed(head)}"


def _check_proof(options: argparse.Namespace, trust: Trust, seen: Checkpoint | None) -> str:
    """Verify an inclusion proof, and that its tree and the remembered one are one tree."""
    paper = InclusionFile.parse(options.file.read_bytes())
    head = trust.open(paper.checkpoint)
    leaf = options.leaf.read_bytes() if options.leaf else paper.extra
    if not leaf:
        raise ProofError("leaf", "the file carries no leaf: name one with --leaf")
    verify_inclusion(paper.index, head.size, leaf_hash(leaf), paper.hashes, head.root)
    said = describe_leaf(leaf, options.body.read_bytes() if options.body else None)
    follow(options, seen, head)
    place = f"OK event {paper.index + 1} of {head.size} in {head.origin}"
    return f"{place}{witnessed(head)}\n{said}"


def follow(options: argparse.Namespace, seen: Checkpoint | None, head: Checkpoint) -> None:
    """Raise unless a paper's tree and the remembered one are one tree; remember the larger.

    A paper is often older than what is remembered: that is no shrunken tree.
    """
    if seen is not None:
        older, newer = sorted((seen, head), key=lambda one: one.size)
        join(older, newer, options.proof)
    if options.state and (seen is None or head.size > seen.size):
        remember(options.state, head)


def witnessed(head: Checkpoint) -> str:
    """Say who cosigned and when (POSIX seconds)."""
    return "".join(f"\n  cosigned by {key.name} at {moment}" for key, moment in head.cosigned)


Check = Callable[[argparse.Namespace, Trust, Checkpoint | None], str]
CHECKS: Mapping[str, Check] = {"checkpoint": _check_checkpoint, "proof": _check_proof}


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="verify", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("what", choices=(*CHECKS, "bundle"), help="a checkpoint, a .tlog-proof, a report's bundle")
    add("file", type=Path)
    add("--key", action="append", required=True, help="the log's vkey; again after a rotation")
    add("--origin", help="the log's name, if it is not the key's")
    add("--witness", action="append", default=[], help="vkey of a trusted witness")
    add("--quorum", type=int, default=0, help="how many of the witnesses must have signed")
    add("--state", type=Path, help="where the last checkpoint seen is remembered")
    add("--consistency", type=Path, help="proof that joins the remembered tree and this one")
    add("--leaf", type=Path, help="the event's envelope, if the proof does not carry it")
    add("--body", type=Path, help="the event's body, to be compared with the proven hash")
    return parser


def main(arguments: Sequence[str] | None = None, checks: Mapping[str, Check] | None = None) -> int:
    """Verify one file; return 0, 1 where nothing is proven, 3 where the log is to be accused.

    A bundle needs `bundle.py` and `sums.py` too: all in one file, see `ledger.proofs.single`.
    """
    options = _parser().parse_args(arguments)
    if options.what not in (checks := checks or CHECKS):
        return int(importlib.import_module("ledger.proofs.bundle").run(arguments))
    seen: Checkpoint | None = None
    try:
        keys = tuple(Key.parse(text) for text in options.key)
        witnesses = tuple(Key.parse(text) for text in options.witness)
        trust = Trust(keys, options.origin or keys[0].name, witnesses, options.quorum)
        if options.state and options.state.exists():
            seen = Trust(keys, trust.origin).open(options.state.read_bytes())
        path = options.consistency
        options.proof = ConsistencyFile.parse(path.read_bytes()) if path else None
        sys.stdout.write(checks[options.what](options, trust, seen) + "\n")
    except (OSError, ProofError) as error:
        code = getattr(error, "code", "file")
        if code not in ALARMS:
            sys.stderr.write(f"NOT VERIFIED ({code}): {error}\n")
            return 1
        remembered = seen.raw.decode() if seen else "(nothing)\n"
        sys.stderr.write(
            f"!!! ALARM ({code}): {error}\n!!! Keep {options.file}: signed by the log, it is"
            f" evidence together with the checkpoint remembered before:\n{remembered}"
        )
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
