"""Signing: keys in their text forms, notes, checkpoints, cosignatures, proof files (C2SP).

What verifies them stands in `verify.py`. Texts follow signed-note, tlog-checkpoint, tlog-proof,
tlog-cosignature and the request of tlog-witness.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.proofs.verify import (
    COSIGNATURE,
    HASH_BYTES,
    KEY_NAME,
    PROOF_HEADER,
    SIGNATURE,
    SIZE_MAX,
    Checkpoint,
    Key,
    Note,
    ProofError,
    decode_base64,
)

DASH = "\N{EM DASH} "
PRIVATE = "PRIVATE+KEY+"
"""How a signer key's text begins (golang.org/x/mod/sumdb/note)."""


class Signer:
    """A signing key; its repr and errors never show the seed."""

    __slots__ = ("_private", "_seed", "key")

    def __init__(self, name: str, seed: bytes, kind: int = SIGNATURE) -> None:
        """Take the key's name, the 32-byte Ed25519 seed and the signature type."""
        known = KEY_NAME.fullmatch(name) and kind in (SIGNATURE, COSIGNATURE)
        if not known or len(seed) != HASH_BYTES:
            raise ProofError("malformed", "not a name, seed and type of a signing key")
        self._seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = Key(name, kind, self._private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        """Show the public key only."""
        return f"Signer({self.key.text})"

    @classmethod
    def generate(cls, name: str, kind: int = SIGNATURE) -> Signer:
        """Make a new key; the operating system's random source is asked by `cryptography`."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw(), kind)

    @classmethod
    def parse(cls, text: str) -> Signer:
        """Read `PRIVATE+KEY+<name>+<hex key id>+<base64 of type and seed>`."""
        parts = text.removeprefix(PRIVATE).split("+", 2)
        if not text.startswith(PRIVATE) or len(parts) != 3:  # noqa: PLR2004 - name, id, seed
            raise ProofError("malformed", "not a signer key")
        raw = decode_base64(parts[2])
        signer = cls(parts[0], raw[1:], raw[0] if raw else 0)
        if signer.key.id.hex() != parts[1]:
            raise ProofError("malformed", "the signer key's id is not its own")
        return signer

    @property
    def text(self) -> str:
        """The secret text form: for the key file, never for the database or a log."""
        material = base64.b64encode(bytes([self.key.kind]) + self._seed).decode()
        return f"{PRIVATE}{self.key.name}+{self.key.id.hex()}+{material}"

    def sign(self, text: bytes) -> str:
        """Return the signature line over a note's text (signed-note, Ed25519 signatures)."""
        if self.key.kind != SIGNATURE:
            raise ProofError("malformed", "a witness key signs with a time: cosign")
        return self._line(self._private.sign(text))

    def cosign(self, text: bytes, moment: int) -> str:
        """Return the cosignature line over a checkpoint's text at a POSIX time."""
        if self.key.kind != COSIGNATURE or not 0 <= moment <= SIZE_MAX:
            raise ProofError("malformed", "not a witness key, or not a POSIX time")
        Checkpoint.parse(text)
        signature = self._private.sign(b"cosignature/v1\ntime %d\n%b" % (moment, text))
        return self._line(moment.to_bytes(8, "big") + signature)

    def _line(self, signature: bytes) -> str:
        """Write a line of this key."""
        return write_line(self.key.name, self.key.id, signature)


def write_line(name: str, identifier: bytes, signature: bytes) -> str:
    """Write a signature line without its newline (signed-note, Signatures)."""
    return f"{DASH}{name} {_base64(identifier + signature)}"


def write_note(text: bytes, lines: Iterable[str]) -> bytes:
    """Return a signed note; refuse a text or line that could not be read again."""
    raw = text + b"\n" + "".join(f"{line}\n" for line in lines).encode()
    if Note.parse(raw).text != text:
        raise ProofError("malformed", "the text does not end in one newline")
    return raw


def add_signatures(raw: bytes, lines: Iterable[str]) -> bytes:
    """Return the note with more signature lines, each of them once."""
    text = Note.parse(raw).text
    present = raw[len(text) + 1 :].decode().splitlines()
    return write_note(text, dict.fromkeys([*present, *lines]))


def write_checkpoint(head: Checkpoint, signers: Sequence[Signer]) -> bytes:
    """Return the signed checkpoint; during a rotation the old and the new key sign."""
    if Checkpoint.parse(head.text).text != head.text:
        raise ProofError("malformed", "not a checkpoint that can be read again")
    return write_note(head.text, [signer.sign(head.text) for signer in signers])


def write_inclusion(
    index: int, hashes: Iterable[bytes], checkpoint: bytes, extra: bytes = b""
) -> bytes:
    """Return a `.tlog-proof` file (tlog-proof, Format); `extra` carries the leaf."""
    head = [PROOF_HEADER, *([f"extra {_base64(extra)}"] if extra else []), f"index {index}"]
    return _with_hashes(head, hashes, checkpoint)


def write_consistency(size: int, hashes: Iterable[bytes], checkpoint: bytes) -> bytes:
    """Return a consistency proof as a witness takes it (tlog-witness, add-checkpoint)."""
    return _with_hashes([f"old {size}"], hashes, checkpoint)


def _with_hashes(head: list[str], hashes: Iterable[bytes], checkpoint: bytes) -> bytes:
    """Write head lines, hash lines, an empty line and the checkpoint."""
    lines = [*head, *map(_base64, hashes), ""]
    return "".join(f"{line}\n" for line in lines).encode() + checkpoint


def _base64(raw: bytes) -> str:
    """Write standard Base 64."""
    return base64.b64encode(raw).decode()
