"""The leaf of a sequenced event: its public envelope, as canonical bytes.

What stands in it and why: docs/decisions/0007-proofs.md. The leaf at index i is the event with
sequence i + 1; the sequence itself is therefore not repeated.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from ledger.proofs.verify import HASH_BYTES, ProofError

VERSION = 1
INTEGER_MAX = 2**53 - 1
"""Integers that every JSON reader carries exactly (RFC 8785, I-JSON)."""
TOKEN = re.compile(r"[^\x00-\x20\"\\\x7f]{1,200}")
"""A budget's code or an event's kind: no space, control, quote or backslash."""
FIELDS = ("body", "chain", "kind", "log", "position", "recorded_at", "v")


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """The public envelope: enough to order, count and match events, and nothing of a person.

    `log` is the budget's code, `position` its gapless place there from 1, `chain` the log's chain
    hash after the event, `body` SHA-256 of the stored body, `recorded_at` microseconds since 1970.
    """

    log: str
    position: int
    kind: str
    recorded_at: int
    chain: bytes
    body: bytes

    def __post_init__(self) -> None:
        """Refuse what could be written in two ways or not be read again."""
        if not (
            type(self.position) is type(self.recorded_at) is int
            and TOKEN.fullmatch(self.log)
            and TOKEN.fullmatch(self.kind)
            and 1 <= self.position <= INTEGER_MAX
            and 0 <= self.recorded_at <= INTEGER_MAX
            and len(self.chain) == len(self.body) == HASH_BYTES
        ):
            raise ProofError("leaf", f"not an envelope: {self.log}:{self.position}")

    def encode(self) -> bytes:
        """Return the canonical bytes: RFC 8785 JSON (sorted keys, UTF-8, no spaces)."""
        return (
            f'{{"body":"{self.body.hex()}","chain":"{self.chain.hex()}","kind":"{self.kind}",'
            f'"log":"{self.log}","position":{self.position},"recorded_at":{self.recorded_at},'
            f'"v":{VERSION}}}'
        ).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Leaf:
        """Read an envelope; only its one canonical spelling is taken."""
        try:
            fields = json.loads(raw)
            leaf = cls(
                log=fields["log"],
                position=fields["position"],
                kind=fields["kind"],
                recorded_at=fields["recorded_at"],
                chain=bytes.fromhex(fields["chain"]),
                body=bytes.fromhex(fields["body"]),
            )
            same = leaf.encode() == raw
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ProofError("leaf", "not a public envelope of an event") from error
        if not same:
            raise ProofError("leaf", "another spelling than the canonical one")
        return leaf

    def check_body(self, previous: bytes, body: bytes) -> None:
        """Raise unless this body is the event's and follows the previous chain hash in its log.

        The chain is that of design §3: sha256(2, previous, log number, position, length, body);
        a log's number is the first 63 bits of SHA-256 of its code (docs/decisions/0003).
        """
        if hashlib.sha256(body).digest() != self.body:
            raise ProofError("body", f"{self.log}:{self.position} has another body")
        number = int.from_bytes(hashlib.sha256(self.log.encode()).digest()[:8], "big") >> 1
        head = b"\x02" + previous + number.to_bytes(8, "big") + self.position.to_bytes(8, "big")
        if hashlib.sha256(head + len(body).to_bytes(4, "big") + body).digest() != self.chain:
            raise ProofError("chain", f"{self.log}:{self.position} does not follow its log")
