"""A report with its evidence in one file: written by the service, checked by anybody.

A bundle is a zip of stored (not compressed) files, so equal contents are equal bytes:

    bundle.json   the question, the sequence it was answered for, the logs it needs
    report.json   the answer, byte for byte as it was served
    checkpoint    the signed head of the tree
    proof         the hashes of the subtrees that hold none of the events, a line each, Base 64
    events        a line each: index in the tree, public envelope, body if it may be shown

Nothing can be left out of a log unseen: its positions run from 1 without a gap, each body follows
the chain from its beginning, and after its last event before the report's sequence stands either
its next one, which is later, or every envelope of the ledger up to that sequence.
Standard library only; what is decided about it: docs/decisions/0014-bundles-and-audit.md.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from argparse import Namespace
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ledger.proofs.sums import Sums, check_execution, jurisdiction_of
from ledger.proofs.verify import (
    Checkpoint,
    Hashes,
    ProofError,
    Trust,
    decode_base64,
    decode_decimal,
    follow,
    leaf_hash,
    main,
    node_hash,
    witnessed,
)

VERSION = 1
NAMES = ("bundle.json", "report.json", "checkpoint", "proof", "events")
RULEBOOK = "rulebook"
BYTES_MAX = 1 << 30
"""Most bytes of a bundle that is read."""
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
"""What reading JSON of another shape raises."""


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
            for name, content in zip(NAMES, parts, strict=True):
                file.writestr(zipfile.ZipInfo(name), content)
        return whole.getvalue()

    @classmethod
    def read(cls, source: Path | io.BytesIO) -> Bundle:
        """Read a file; nothing is verified yet."""
        try:
            with zipfile.ZipFile(source) as file:
                found = file.infolist()
                if tuple(one.filename for one in found) != NAMES or any(
                    one.compress_type != zipfile.ZIP_STORED for one in found
                ):
                    raise ProofError("malformed", f"a bundle holds {', '.join(NAMES)}, stored")
                if sum(one.file_size for one in found) > BYTES_MAX:
                    raise ProofError("malformed", "the bundle is too large")
                manifest, report, checkpoint, proof, events = map(file.read, found)
            hashes = [decode_base64(line) for line in proof.decode("ascii").splitlines()]
            shown = tuple(map(_shown, events.splitlines()))
            return cls(json.loads(manifest), report, checkpoint, tuple(hashes), shown)
        except (zipfile.BadZipFile, EOFError, *UNREADABLE) as error:
            raise ProofError("malformed", f"not a bundle: {error}") from error


def _joined(lines: Sequence[bytes]) -> bytes:
    """Write lines, each with its end."""
    return b"".join(b"%b\n" % line for line in lines)


def _shown(line: bytes) -> Shown:
    """Read one line of events; an envelope has no spaces."""
    index, leaf, *body = line.split(b" ", 2)
    return Shown(decode_decimal(index.decode("ascii")), leaf, body[0] if body else None)


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


def root_with(leaves: Mapping[int, bytes], size: int, proof: Hashes) -> bytes:
    """Return the root of a tree of `size` from leaf hashes by index and the hashes of the gaps."""
    places, hashes = sorted(leaves), list(reversed(proof))
    if not places or not 0 <= places[0] <= places[-1] < size:
        raise ProofError("inclusion", f"an event lies outside a tree of {size} leaves")

    def subtree(start: int, end: int) -> bytes:
        at = bisect_left(places, start)
        if at == len(places) or places[at] >= end:
            if not hashes or len(hashes[-1]) != hashlib.sha256().digest_size:
                raise ProofError("inclusion", "the proof is too short or no list of hashes")
            return hashes.pop()
        if end - start == 1:
            return leaves[start]
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        return node_hash(subtree(start, middle), subtree(middle, end))

    found = subtree(0, size)
    if hashes:
        raise ProofError("inclusion", "the proof is too long")
    return found


@dataclass(frozen=True)
class Proven:
    """What a bundle's hashes show: the head, and (index, body) of each log in order."""

    head: Checkpoint
    sequence: int
    report: Mapping[str, Any]
    question: Mapping[str, Any]
    logs: Mapping[str, Sequence[tuple[int, bytes]]]


def prove(bundle: Bundle, trust: Trust) -> Proven:
    """Raise unless the events are in the signed tree, and the logs' events before it complete."""
    head = trust.open(bundle.checkpoint)
    hashes = {one.at: leaf_hash(one.leaf) for one in bundle.events}
    if sorted(hashes) != [one.at for one in bundle.events]:
        raise ProofError("malformed", "the events do not stand in the order of the tree")
    if root_with(hashes, head.size, bundle.proof) != head.root:
        raise ProofError("inclusion", "the events lead to another root than the signed one")
    try:
        manifest, report = bundle.manifest, json.loads(bundle.report)
        sequence, rules_at = manifest["sequence"], manifest["rules_at"]
        if manifest["v"] != VERSION or not 0 < sequence <= head.size:
            raise ProofError("malformed", "the bundle is of another version, or ahead of its tree")
        if report.get("sequence", sequence) != sequence:
            raise ProofError("sequence", "the report is true for another sequence than the bundle")
        envelopes = [_envelope(one.leaf) for one in bundle.events]
        logs = {}
        for log in (*manifest["logs"], RULEBOOK):
            own = [(one, said) for one, said in zip(bundle.events, envelopes, strict=True)
                   if said["log"] == log]  # fmt: skip
            logs[log] = _whole(own, log, head.size if log == RULEBOOK else sequence)
            if log != RULEBOOK and len(logs[log]) == len(own):
                _closed(bundle.events, own, log, sequence)
        if len(logs[RULEBOOK]) != rules_at:
            raise ProofError("rules", f"the rulebook is not shown up to position {rules_at}")
        return Proven(head, sequence, report, manifest["question"], logs)
    except UNREADABLE as error:
        raise ProofError("malformed", f"the bundle's documents: {error!r}") from error


def _envelope(leaf: bytes) -> dict[str, Any]:
    """Read an envelope; only its one canonical spelling is taken."""
    found: dict[str, Any] = json.loads(leaf)
    spelled = json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if spelled.encode() != leaf:
        raise ProofError("leaf", "an envelope in another spelling than the canonical one")
    return found


def _whole(
    own: Sequence[tuple[Shown, Mapping[str, Any]]], log: str, sequence: int
) -> list[tuple[int, bytes]]:
    """Return a log's (index, body) before a sequence; raise where one is missing or altered."""
    chain, found = b"", []
    for position, (one, envelope) in enumerate(own, 1):
        place = f"{log}:{position}"
        if envelope["position"] != position:
            raise ProofError("omitted", f"{place} is missing")
        if one.at >= sequence:
            break
        if one.body is None:
            raise ProofError("bodies", f"{place} is shown without its body: nothing adds up")
        if hashlib.sha256(one.body).hexdigest() != envelope["body"]:
            raise ProofError("body", f"{place} has another body than the tree holds")
        chain = linked(chain, log, position, one.body)
        if chain.hex() != envelope["chain"]:
            raise ProofError("chain", f"{place} does not follow its log")
        found.append((one.at, one.body))
    return found


def _closed(
    events: Sequence[Shown], own: Sequence[tuple[Shown, Any]], log: str, sequence: int
) -> None:
    """Raise unless every envelope from a log's last event up to the sequence is shown."""
    after = own[-1][0].at + 1 if own else 0
    between = sum(after <= one.at < sequence for one in events)
    if between != sequence - after:
        raise ProofError("omitted", f"nothing shows that {log} ends at position {len(own)}")


def linked(previous: bytes, log: str, position: int, body: bytes) -> bytes:
    """Return the chain hash of an event: 2, previous, log number, position, length, body.

    A log's number is the first 63 bits of SHA-256 of its code (docs/decisions/0003).
    """
    number = int.from_bytes(hashlib.sha256(log.encode()).digest()[:8], "big") >> 1
    head = b"\x02" + previous + number.to_bytes(8, "big") + position.to_bytes(8, "big")
    return hashlib.sha256(head + len(body).to_bytes(4, "big") + body).digest()


def check_sums(proven: Proven) -> int:
    """Raise unless an execution report is the sum of its events; return how many figures."""
    sums = Sums()
    try:
        for _, body in proven.logs[proven.report["budget"]]:
            sums.add(json.loads(body))
        rules = jurisdiction_of(json.loads(body) for _, body in proven.logs[RULEBOOK])
        return check_execution(proven.report, proven.question, sums, rules)
    except UNREADABLE as error:
        raise ProofError("malformed", f"a body or the report: {error!r}") from error


def told(proven: Proven) -> list[str]:
    """Say what the hashes of a bundle showed, a line each."""
    asked = " ".join(f"{name}={value}" for name, value in proven.question.items() if value)
    lines = [f"question: {asked or '(no conditions)'}, true for sequence {proven.sequence}"]
    for log, events in proven.logs.items():
        upto = "" if log == RULEBOOK else f", all there are up to sequence {proven.sequence}"
        lines.append(f"{log}: positions 1 to {len(events)}, bodies, chain and tree agree{upto}")
    return lines


def check_bundle(options: Namespace, trust: Trust, seen: Checkpoint | None) -> str:
    """Verify a bundle: signature, tree, completeness, sums; and the tree's growth since `seen`."""
    bundle = Bundle.read(options.file)
    proven = prove(bundle, trust)
    follow(options, seen, proven.head)
    lines = told(proven)
    if bundle.manifest["report"] == "execution":
        lines.append(f"{check_sums(proven)} figures are the sums of these events")
    else:
        lines.append("its figures are not checked here: `qazyna verify` does")
    head = proven.head
    first = f"OK report {bundle.manifest['report']} in {head.origin} at size {head.size}"
    return "\n  ".join([first + witnessed(head), *lines])


def run(arguments: Sequence[str] | None = None) -> int:
    """Verify a bundle as the command line of `verify` does; return its exit code."""
    return main(arguments, {"bundle": check_bundle})
