"""Receipts: the service's signed word on what it answered to a command, refusals included.

A batch of answers is one tree; its root is signed once, as a note of a key of its own
(`<origin>/receipts`), which signs nothing else, so that the log's key signs checkpoints only:

    qazyna-receipts@v1            the note's text; no checkpoint can be read from it
    <origin>
    <answers in the batch>
    <root, Base64>
    <moment of signing, microseconds since 1970 UTC>

A receipt file is a `.tlog-proof` (C2SP) in all but its first line, `qazyna-receipt@v1`: the answer
as `extra`, its index, the siblings, an empty line, the note. The answer names budget, position,
chain and body hash of the event that it became: that event's leaf must stand in the log's tree.
A receipt is redeemed for the proof of it; a leaf that differs there convicts the service.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.proofs.leaf import Leaf
from ledger.proofs.notes import Signer, write_note
from ledger.proofs.verify import (
    HASH_BYTES,
    INCLUSION,
    PROOF_HEADER,
    Key,
    Note,
    ProofError,
    decode_base64,
    decode_decimal,
    leaf_hash,
    node_hash,
    read_proof,
    verify_inclusion,
)

HEADER, BATCH_HEADER = "qazyna-receipt@v1", "qazyna-receipts@v1"
KEY_SUFFIX = "/receipts"
"""What the name of the receipts' key has after the log's origin."""
VERSION = 1
FIELDS = ("budget", "command_id", "event", "events", "flags", "position", "recorded_at", "refusal",
          "status", "v")  # fmt: skip


def encode_answer(answer: Mapping[str, Any]) -> bytes:
    """Return an answer's one spelling: canonical JSON of exactly `FIELDS`.

    `event` is {body, chain, kind} (hashes in hex) of the first event, None where nothing was
    stored; `refusal` is None or {code, message, rule, law, figures, limits}, amounts as integers
    of minor units; the other fields are the answer's own. `replayed` is not among them: the
    answer is the same however often it is given.
    """
    if tuple(sorted(answer)) != FIELDS or answer["v"] != VERSION:
        raise ProofError("receipt", f"an answer has the fields {', '.join(FIELDS)}")
    return json.dumps(answer, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sign_batch(origin: str, leaves: Sequence[bytes], signers: Sequence[Signer],
               moment: int) -> list[bytes]:  # fmt: skip
    """Return a receipt for each answer (`encode_answer`), all under one signature a key."""
    levels = _levels([leaf_hash(leaf) for leaf in leaves])
    root = write_root(origin, len(leaves), levels[-1][0], moment)
    end = write_note(root, [signer.sign(root) for signer in signers]).decode()
    lines = [[f"{base64.b64encode(one).decode()}\n" for one in level] for level in levels[:-1]]
    return [
        f"{HEADER}\nextra {base64.b64encode(leaf).decode()}\nindex {index}\n"
        f"{''.join(_path(lines, index))}\n{end}".encode()
        for index, leaf in enumerate(leaves)
    ]


def _levels(hashes: list[bytes]) -> list[list[bytes]]:
    """Return the whole tree from the leaf hashes to the root (RFC 9162 section 2.1.1).

    Every path of a batch is wanted, so each node is made once; an odd last one moves up as it is.
    """
    levels = [hashes]
    while len(hashes) > 1:
        last = hashes[-1:] if len(hashes) & 1 else []
        hashes = [*map(node_hash, hashes[0:-1:2], hashes[1::2]), *last]
        levels.append(hashes)
    return levels


def _path(lines: Sequence[Sequence[str]], index: int) -> Iterator[str]:
    """Yield the lines of an inclusion proof, from the leaf's sibling up."""
    for level in lines:
        if index ^ 1 < len(level):
            yield level[index ^ 1]
        index >>= 1


def write_root(origin: str, size: int, root: bytes, moment: int) -> bytes:
    """Return the text that is signed for a batch."""
    encoded = base64.b64encode(root).decode()
    return f"{BATCH_HEADER}\n{origin}\n{size}\n{encoded}\n{moment}\n".encode()


@dataclass(frozen=True)
class Receipt:
    """A verified receipt: the answer, who signed it and when; `leaf` is its exact spelling."""

    answer: Mapping[str, Any]
    leaf: bytes
    origin: str
    signed_at: int
    keys: tuple[Key, ...]

    @property
    def envelope(self) -> Leaf | None:
        """The leaf that the log's tree must hold for this answer; None where none was promised."""
        event = self.answer["event"]
        if event is None:
            return None
        return Leaf(
            log=self.answer["budget"], position=self.answer["position"], kind=event["kind"],
            recorded_at=self.answer["recorded_at"], chain=bytes.fromhex(event["chain"]),
            body=bytes.fromhex(event["body"]),
        )  # fmt: skip

    @classmethod
    def open(cls, raw: bytes, keys: Sequence[Key]) -> Receipt:
        """Verify a receipt against the keys that the reader trusts, or raise `ProofError`."""
        header = f"{HEADER}\n".encode()
        if not raw.startswith(header):
            raise ProofError("malformed", f"the file does not begin with {HEADER}")
        paper = f"{PROOF_HEADER}\n".encode() + raw.removeprefix(header)
        index, hashes, signed_root, leaf = read_proof(paper, INCLUSION)
        note = Note.parse(signed_root)
        signed = note.verified(keys)
        if not signed:
            raise ProofError("signature", "no signature of a trusted key for receipts")
        origin, size, root, moment = _read_root(note.text)
        if any(key.name != origin + KEY_SUFFIX for key, _ in signed):
            raise ProofError("origin", f"the key does not sign receipts of {origin}")
        verify_inclusion(index, size, leaf_hash(leaf), hashes, root)
        receipt = cls(_decode_answer(leaf), leaf, origin, moment,
                      tuple(key for key, _ in signed))  # fmt: skip
        _ = receipt.envelope  # what it promises can be read
        return receipt

    def redeem(self, leaf: bytes) -> None:
        """Raise unless a proven leaf of the log is the event that the receipt promised.

        `broken-promise` accuses the service: receipt and proof together convict it.
        """
        promised = self.envelope
        if promised is None:
            raise ProofError("unstored", "nothing was stored for this answer: there is no proof")
        proven = Leaf.decode(leaf)
        if (proven.log, proven.position) != (promised.log, promised.position):
            raise ProofError("leaf", f"the proof is of {proven.log}:{proven.position}, the receipt "
                             f"of {promised.log}:{promised.position}")  # fmt: skip
        if proven != promised:
            raise ProofError("broken-promise", f"{promised.log}:{promised.position} is another "
                             "event in the tree than the one that was answered")  # fmt: skip


def split_receipts(raw: bytes) -> list[bytes]:
    """Return the receipts of a file that holds one after the other."""
    starts = [found.start() for found in re.finditer(rf"^{HEADER}$".encode(), raw, re.MULTILINE)]
    if not starts or starts[0] != 0:
        raise ProofError("malformed", f"the file does not begin with {HEADER}")
    return [raw[start:end] for start, end in zip(starts, [*starts[1:], len(raw)], strict=True)]


def _read_root(text: bytes) -> tuple[str, int, bytes, int]:
    """Read a batch's signed text: origin, size, root, moment."""
    lines = text.decode().split("\n")
    if len(lines) != 6 or lines[0] != BATCH_HEADER or lines[5]:  # noqa: PLR2004 - five, and the end
        raise ProofError("malformed", "not the signed root of a batch of receipts")
    root = decode_base64(lines[3])
    if len(root) != HASH_BYTES or not lines[1]:
        raise ProofError("malformed", "a root of another length, or no origin")
    return lines[1], decode_decimal(lines[2]), root, decode_decimal(lines[4])


def _decode_answer(leaf: bytes) -> dict[str, Any]:
    """Read an answer; only its one spelling is taken."""
    try:
        answer = json.loads(leaf)
        if not isinstance(answer, dict) or encode_answer(answer) != leaf:
            raise ValueError  # noqa: TRY301 - one way out for all that is no answer
        if (answer["event"] is None) != (answer["position"] is None):
            raise ValueError  # noqa: TRY301
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ProofError("receipt", "not the answer to a command") from error
    return answer
