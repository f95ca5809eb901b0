"""A report with its evidence in one file, as the service writes it; `verify.py` checks it.

A bundle is a zip of stored (not compressed) files, so equal contents are equal bytes:

    bundle.json   the question, the sequence it was answered for, the logs it needs
    report.json   the answer, byte for byte as it was served
    checkpoint    the signed head of the tree
    proof         the hashes of the subtrees that hold none of the events, a line each, Base 64
    events        a line each: index in the tree, public envelope, body if it may be shown

Nothing can be left out of a log unseen: its positions run from 1 without a gap, each body follows
the chain from its beginning, and after its last event before the report's sequence stands either
its next one, which is later, or every envelope of the ledger up to that sequence.
What is decided about it: docs/decisions/0014-bundles-and-audit.md.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ledger.proofs.verify import FILES

VERSION = 1


class Shown(NamedTuple):
    """One leaf of the tree: where it stands (from 0), the public envelope, the body or None."""

    at: int
    leaf: bytes
    body: bytes | None


@dataclass(frozen=True)
class Bundle:
    """A report, its question and its evidence; `events` stand in the order of the tree."""

    manifest: Mapping[str, Any]
    report: bytes
    checkpoint: bytes
    proof: tuple[bytes, ...]
    events: tuple[Shown, ...]

    def write(self) -> bytes:
        """Return the file."""
        lines = [
            b" ".join((str(one.at).encode(), one.leaf, *([one.body] if one.body else [])))
            for one in self.events
        ]
        hashes = [base64.b64encode(one) for one in self.proof]
        manifest = json.dumps(self.manifest, ensure_ascii=False, sort_keys=True, indent=1)
        parts = (manifest.encode() + b"\n", self.report, self.checkpoint, _joined(hashes),
                 _joined(lines))  # fmt: skip
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as file:
            for name, content in zip(FILES, parts, strict=True):
                file.writestr(zipfile.ZipInfo(name), content)
        return whole.getvalue()


def _joined(lines: Sequence[bytes]) -> bytes:
    """Write lines, each with its end."""
    return b"".join(b"%b\n" % line for line in lines)


def gaps(indexes: Sequence[int], size: int) -> Iterable[tuple[int, int]]:
    """Yield the largest subtrees start … end without any of the sorted indexes, left to right."""
    waiting = [(0, size)]
    while waiting:
        start, end = waiting.pop()
        at = bisect_left(indexes, start)
        if at == len(indexes) or indexes[at] >= end:
            yield start, end
        elif end - start > 1:
            middle = start + (1 << (end - start - 1).bit_length() - 1)
            waiting += [(middle, end), (start, middle)]
