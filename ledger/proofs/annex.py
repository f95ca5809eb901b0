r"""Personal values outside the log, tied to an event by salted commitments; and their disclosure.

commitment = SHA-256("qazyna/annex/v1\n" ‖ salt, 32 random bytes ‖ length of the field's name, one
byte ‖ name ‖ value), texts in UTF-8 and Unicode form C. Without the salt the commitment says
nothing of the value, however few values there are; destroying the salt is the erasure. With it an
auditor checks a disclosed value against the body, and the body against the tree (`verify`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.proofs.leaf import Leaf
from ledger.proofs.verify import (
    HASH_BYTES,
    INCLUSION,
    Key,
    ProofError,
    Trust,
    leaf_hash,
    read_proof,
    verify_inclusion,
)

DOMAIN = b"qazyna/annex/v1\n"
SALT_BYTES = 32
VERSION = 1
FILE_BYTES_MAX = 1 << 26


def commitment(salt: bytes, field: str, value: str) -> bytes:
    """Return the commitment to a personal field's value."""
    if len(salt) != SALT_BYTES:
        raise ProofError("annex", f"a salt has {SALT_BYTES} bytes")
    name = field.encode()
    text = unicodedata.normalize("NFC", value).encode()
    return hashlib.sha256(DOMAIN + salt + bytes([len(name)]) + name + text).digest()


@dataclass(frozen=True)
class Disclosure:
    """What an auditor with the right to it is shown: an event's body and openings of its annex.

    `opened` has (salt, value) by field; the other fields of the annex stay closed or were erased.
    """

    budget: str
    position: int
    body: bytes
    opened: Mapping[str, tuple[bytes, str]]

    def encode(self) -> bytes:
        """Return the file: JSON, salts in hex, the body as text."""
        return json.dumps(
            {
                "v": VERSION, "budget": self.budget, "position": self.position,
                "body": self.body.decode(),
                "opened": {name: {"salt": salt.hex(), "value": value}
                           for name, (salt, value) in sorted(self.opened.items())},
            }, ensure_ascii=False, indent=1,
        ).encode() + b"\n"  # fmt: skip

    @classmethod
    def decode(cls, raw: bytes) -> Disclosure:
        """Read a file; nothing is verified yet."""
        try:
            found = json.loads(raw[:FILE_BYTES_MAX])
            if found["v"] != VERSION or set(found) != {"v", "budget", "position", "body", "opened"}:
                raise ValueError  # noqa: TRY301 - one way out for all that is no disclosure
            opened = {str(name): (bytes.fromhex(one["salt"]), str(one["value"]))
                      for name, one in found["opened"].items()}  # fmt: skip
            body = found["body"].encode()
            return cls(str(found["budget"]), int(found["position"]), body, opened)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ProofError("annex", "not a disclosure of personal values") from error

    def verify(self) -> dict[str, str]:
        """Return the values; raise unless each is the one that the body commits to."""
        promised = commitments_of(self.body)
        for name, (salt, value) in self.opened.items():
            if promised.get(name) != commitment(salt, name, value).hex():
                raise ProofError("annex", f"{name} is not the value that the body commits to")
        return {name: value for name, (_, value) in self.opened.items()}

    def verify_in(self, leaf: bytes) -> None:
        """Raise unless the body is the one of a proven leaf."""
        proven = Leaf.decode(leaf)
        if (proven.log, proven.position) != (self.budget, self.position):
            raise ProofError("leaf", f"the proof is of {proven.log}:{proven.position}")
        if proven.body != hashlib.sha256(self.body).digest():
            raise ProofError("body", "the body is not the one whose hash the tree holds")


def commitments_of(body: bytes) -> dict[str, str]:
    """Return the commitments in a body by field; raise for what is no body or holds none."""
    try:
        found: Any = json.loads(body)["command"]["annex"]
        right = all(len(bytes.fromhex(one)) == HASH_BYTES for one in found.values())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ProofError("annex", "the body has no annex") from error
    if not right:
        raise ProofError("annex", "the body's annex holds something else than commitments")
    return dict(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify one disclosure; return 0, or 1 where nothing is shown."""
    parser = argparse.ArgumentParser(prog="annex", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("file", type=Path, help="the disclosure")
    parser.add_argument("--proof", type=Path, help="a .tlog-proof of the event")
    parser.add_argument("--key", action="append", default=[], help="the log's vkey")
    options = parser.parse_args(arguments)
    try:
        shown = Disclosure.decode(options.file.read_bytes())
        values = shown.verify()
        place = f"{shown.budget}:{shown.position}"
        if options.proof:
            place += _proven(shown, options)
    except (OSError, ProofError) as error:
        sys.stderr.write(f"NOT VERIFIED ({getattr(error, 'code', 'file')}): {error}\n")
        return 1
    sys.stdout.write(f"OK {place} body sha256 {hashlib.sha256(shown.body).hexdigest()}\n")
    sys.stdout.writelines(f"  {name}: {value}\n" for name, value in values.items())
    return 0


def _proven(shown: Disclosure, options: argparse.Namespace) -> str:
    """Raise unless the event stands in a signed tree; return what to say of it."""
    index, hashes, note, leaf = read_proof(options.proof.read_bytes(), INCLUSION)
    keys = tuple(Key.parse(text) for text in options.key)
    head = Trust(keys, keys[0].name if keys else "").open(note)
    verify_inclusion(index, head.size, leaf_hash(leaf), hashes, head.root)
    shown.verify_in(leaf)
    return f", event {index + 1} of {head.size} in {head.origin},"


if __name__ == "__main__":
    sys.exit(main())
