"""The independent verifier: is this signed, is that event in it, does this report add up?

One file that needs Python 3.11 and `cryptography`: `python3 verify.py` on a laptop, in the wheel
`python -m ledger.proofs.verify`. No budget rules, network or database. RFC 9162 section 2.1; C2SP
signed-note, tlog-checkpoint, tlog-proof, tlog-cosignature (Ed25519, v1) and, for consistency, the
request of tlog-witness; bundles of reports: docs/decisions/0014. Nothing a file says is trusted.
"""

import json
import os
import re
import sys
from argparse import ArgumentParser, Namespace
from base64 import b64decode, b64encode
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, NamedTuple, Self
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HASH_BYTES, SIZE_MAX, NOTE_BYTES_MAX, BUNDLE_BYTES_MAX = 32, 2**63 - 1, 1 << 20, 1 << 30
EMPTY_ROOT = sha256().digest()  # of the tree without leaves (RFC 9162 section 2.1.1)
SIGNATURE, COSIGNATURE = 1, 4  # types of signed-note: of any text; of a checkpoint, with a time
KEY_NAME = re.compile(r"[^\s+\x00-\x1f]+")
SIGNED = re.compile(rf"\N{{EM DASH}} ({KEY_NAME.pattern}) (\S+)\n")
NOTE = re.compile(rf"\A([^\x00-\x09\x0b-\x1f]*\n)\n((?:{SIGNED.pattern}){{1,64}})\Z")
PROOF_HEADER, PROOF = "c2sp.org/tlog-proof@v1", r"(\S+)\n((?:\S+\n)*)\n((?s:.*))\Z"
INCLUSION = re.compile(rf"\A{re.escape(PROOF_HEADER)}\n(?:extra (\S*)\n)?index {PROOF}")
CONSISTENCY = re.compile(rf"\A()old {PROOF}")
FILES = ("bundle.json", "report.json", "checkpoint", "proof", "events")  # of a bundle
RULEBOOK, ADOPTED = "rulebook", "rulebook.jurisdiction.adopted"
ALARMS = frozenset({"fork", "shrunk", "empty", "inconsistent"})  # accuse the log, not a paper
ADDS = {  # kind of event in `budget.`: sign and field of the body (else one each), figures
    "line.approved": "+amount approved amended adjusted", "line.amended": "+ amended adjusted",
    "line.adjusted": "+change adjusted", "sequestration.applied": "-amount adjusted",
    "commitment.registered": "+amount accepted unpaid", "plan.month.changed": "+change plan",
    "commitment.changed": "+change accepted unpaid", "payment.executed": "+amount executed",
    "commitment.cancelled": "-amount accepted unpaid", "payment.returned": "-amount executed",
    "receipt.credited": "+amount executed", "cash_expenditure.recovered": "-amount executed",
    "transfer.sent": "+amount executed", "receipt.refunded": "-amount executed",
    "transfer.received": "+amount executed",
}  # fmt: skip
CONTRA = ("commitment", "payment", "cash_expenditure")  # whose sign a contra line turns
BALANCE = ("approved", "amended", "adjusted", "executed")
PLANS = ("plan_receipts", "plan_commitments", "plan_payments")  # to date; `_year`: every month
FIGURES = (*BALANCE, "accepted", "unpaid", *PLANS, *(f"{plan}_year" for plan in PLANS))
TABLES = {"rows": FIGURES, "totals": FIGURES, "identity": BALANCE}  # of an execution report
Line = tuple[str, ...]
Place = tuple[Line, str, str, str, str]  # line, days of effect and adoption, plan month, figure
Json = Mapping[str, Any]
Hashes = Sequence[bytes]
Proof = tuple[int, Hashes, bytes, bytes]  # index or old size, hashes, checkpoint, leaf if any
Logs = Mapping[str, Sequence[tuple[int, bytes]]]  # by log, in order: index in the tree, body
Checked = tuple["Checkpoint", list[str]]
Check = Callable[[Namespace, "Trust"], Checked]


class ProofError(Exception):
    """What was shown proves nothing; `code` says which rule it breaks."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def require(held: object, code: str, message: str) -> None:
    """Raise a ProofError unless it held."""
    if not held:
        raise ProofError(code, message)


@contextmanager
def reading(what: str, code: str = "malformed") -> Iterator[None]:
    """Turn what reading a document of another shape raises into a ProofError."""
    try:
        yield
    except (ArithmeticError, AttributeError, BadZipFile, EOFError, InvalidSignature, LookupError,
            RuntimeError, TypeError, ValueError) as error:  # fmt: skip
        raise ProofError(code, f"{what}: {error!r}") from error


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162 section 2.1.1)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 9162 section 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


def climb(code: str, place: int, last: int, path: Hashes) -> tuple[bytes, bytes]:
    """Follow a path upwards; return the roots of the leaves up to node `place`, and to `last`."""
    inner = (place ^ last).bit_length()  # levels below their meeting; above it all is on the left
    require({*map(len, path)} == {HASH_BYTES}, code, "a hash that has not 32 bytes")
    require(len(path) == 1 + inner + (place >> inner).bit_count(), code, "too short or too long")
    old = new = path[0]
    for level, other in enumerate(path[1:]):
        if level >= inner or place >> level & 1:
            old, new = node_hash(other, old), node_hash(other, new)
        else:
            new = node_hash(new, other)
    return old, new


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Hashes, root: bytes) -> None:
    """Raise unless the leaf hash stands at the index of the tree (RFC 9162 section 2.1.3)."""
    require(0 <= index < size, "inclusion", f"index {index} is not in a tree of {size} leaves")
    _, found = climb("inclusion", index, size - 1, [leaf, *proof])
    require(found == root, "inclusion", "the inclusion proof leads to another root")


def verify_consistency(size: int, grown: int, root: bytes, new_root: bytes, proof: Hashes) -> None:
    """Raise unless the larger tree begins with the smaller one (RFC 9162 section 2.1.4)."""
    require(0 <= size <= grown, "shrunk", f"the tree shrank from {size} leaves to {grown}")
    heads = {(0, EMPTY_ROOT), (size, root), (grown, new_root)}
    require(len(heads) == len({0, size, grown}), "fork", f"two roots of one tree of {size} leaves")
    require(not proof or 0 < size < grown, "inconsistent", "this consistency proof must be empty")
    if 0 < size < grown:
        level = (size & -size).bit_length() - 1  # of the largest whole subtree that ends with size
        path = [root, *proof] if size == 1 << level else proof
        found = climb("inconsistent", size - 1 >> level, grown - 1 >> level, path)
        require(found == (root, new_root), "inconsistent", "the proof does not join the two roots")


def root_with(leaves: Mapping[int, bytes], size: int, proof: Hashes) -> bytes:
    """Return a tree's root from leaf hashes by index and those of the gaps, from left to right."""
    places, hashes = sorted(leaves), [*reversed(proof)]
    require(places and 0 <= places[0] <= places[-1] < size, "inclusion", "not inside the tree")

    def subtree(start: int, end: int) -> bytes:
        at = bisect_left(places, start)
        if at == len(places) or places[at] >= end:
            require(hashes and len(hashes[-1]) == HASH_BYTES, "inclusion", "too few hashes")
            return hashes.pop()
        if end - start == 1:
            return leaves[start]
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        return node_hash(subtree(start, middle), subtree(middle, end))

    found = subtree(0, size)
    require(not hashes, "inclusion", "the proof is too long")
    return found


@reading("not Base 64")
def decode_base64(text: str) -> bytes:
    """Read standard Base 64 in its one canonical spelling (RFC 4648 sections 3.5 and 4)."""
    raw = b64decode(text, validate=True)
    require(b64encode(raw).decode() == text, "malformed", "Base 64 in another spelling")
    return raw


def decode_decimal(text: str) -> int:
    """Read an ASCII decimal without leading zeroes, below 2^63."""
    plain = re.fullmatch("0|[1-9][0-9]{0,18}", text) and int(text) <= SIZE_MAX
    require(plain, "malformed", f"not a plain decimal: {text[:40]!r}")
    return int(text)


class Key(NamedTuple):
    """A verifier key: a name, a signature type and an Ed25519 public key (signed-note)."""

    name: str
    kind: int
    public: bytes

    @classmethod
    @reading("not a verifier key")
    def parse(cls, text: str) -> Self:
        """Read a vkey: `<name>+<hex key id>+<base64 of type and key>`."""
        name, _, material = text.split("+", 2)
        kind, *public = decode_base64(material)
        key = cls(name, kind, bytes(public))
        require(KEY_NAME.fullmatch(name) and key.text == text, "malformed", "not the key's own id")
        require(kind in (1, 4) and len(public) == HASH_BYTES, "malformed", "not an Ed25519 key")
        return key

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256(name, newline, type, key)."""
        return sha256(b"%b\n%c%b" % (self.name.encode(), self.kind, self.public)).digest()[:4]

    @property
    def text(self) -> str:
        """The key as a vkey."""
        material = b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{material}"

    def verify(self, text: bytes, signature: bytes) -> int:
        """Raise unless the signature is this key's; return a cosignature's time, else 0."""
        moment = 0
        if self.kind == COSIGNATURE:
            moment, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            require(moment <= SIZE_MAX, "signature", f"the time of {self.name} is out of range")
            text = b"cosignature/v1\ntime %d\n%b" % (moment, text)
        with reading(f"the signature of {self.name} is wrong", "signature"):
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        return moment


class Note(NamedTuple):
    """A signed note: its text with the last newline, and (key name, key id, signature) lines."""

    text: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    @reading("not a signed note")
    def parse(cls, raw: bytes) -> Self:
        """Read a signed note (signed-note, Format); nothing is verified yet."""
        require(len(raw) <= NOTE_BYTES_MAX, "malformed", "the note is too long")
        [(text, block, *_)] = NOTE.findall(raw.decode())
        lines = [(name, decode_base64(rest)) for name, rest in SIGNED.findall(block)]
        require(all(one[4:] for _, one in lines), "malformed", "a signature that is too short")
        return cls(text.encode(), tuple((name, one[:4], one[4:]) for name, one in lines))

    def verified(self, keys: Iterable[Key]) -> list[tuple[Key, int]]:
        """Return the known keys that signed, with their times; raise if one of them did wrong."""
        known, found = {(key.name, key.id): key for key in keys}, dict[Key, int]()
        for name, identifier, signature in self.signatures:
            if key := known.get((name, identifier)):  # others are passed over
                found.setdefault(key, key.verify(self.text, signature))
        return [*found.items()]


class Checkpoint(NamedTuple):
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
        root = b64encode(self.root).decode()
        return "\n".join((self.origin, str(self.size), root, *self.extensions, "")).encode()

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read a checkpoint's text; nothing is verified yet."""
        *lines, end = text.decode().split("\n")
        require(lines[2:] and all(lines) and not end, "malformed", "not three non-empty lines")
        head = cls(lines[0], decode_decimal(lines[1]), decode_base64(lines[2]), (*lines[3:],))
        fits = len(head.root) == HASH_BYTES and (head.size or head.root == EMPTY_ROOT)
        require(fits, "malformed", "not the root of such a tree")
        return head


@reading("not a proof file")
def read_proof(raw: bytes, form: re.Pattern[str]) -> Proof:
    """Read a file of the form `INCLUSION` or `CONSISTENCY`; nothing is verified yet."""
    require(len(raw) <= NOTE_BYTES_MAX, "malformed", "the file is too long")
    [(leaf, number, lines, note)] = form.findall(raw.decode())
    hashes = tuple(map(decode_base64, lines.split()))
    require({*map(len, hashes)} <= {HASH_BYTES}, "malformed", "a hash that has not 32 bytes")
    return decode_decimal(number), hashes, note.encode(), decode_base64(leaf)


def join(old: Checkpoint, new: Checkpoint, proof: Proof | None) -> None:
    """Raise unless the new tree is the old one grown; a fork between two signed roots is named."""
    size, path, note, _ = proof or (0, (), b"", b"")
    if old.size < new.size and (size != old.size or Note.parse(note).text != new.text):
        raise ProofError("unproven", f"no consistency proof from {old.size} to {new.size}")
    verify_consistency(old.size, new.size, old.root, new.root, path if old.size < new.size else ())


@dataclass(frozen=True)
class Trust:
    """Whom to trust: a log's keys and name, witnesses, how many; what was seen, and its growth."""

    keys: tuple[Key, ...]
    origin: str
    witnesses: tuple[Key, ...] = ()
    quorum: int = 0
    seen: Checkpoint | None = None
    growth: Proof | None = None

    def __post_init__(self) -> None:
        keys = (*self.keys, *self.witnesses)
        kinds = [SIGNATURE] * len(self.keys) + [COSIGNATURE] * len(self.witnesses)
        require(self.keys and [key.kind for key in keys] == kinds, "trust", "a key of another type")
        require(len({key.public for key in keys}) == len(keys), "trust", "one key is named twice")
        require(0 <= self.quorum <= len(self.witnesses), "trust", "an unreachable quorum")

    def open(self, raw: bytes, *, newest: bool = False) -> Checkpoint:
        """Return a checkpoint that was signed by enough and is of one tree with the one seen."""
        note = Note.parse(raw)
        signed = note.verified((*self.keys, *self.witnesses))
        cosigned = [one for one in signed if one[0] in self.witnesses]
        require(signed != cosigned, "signature", "no signature of a trusted key of the log")
        head = Checkpoint.parse(note.text)._replace(raw=raw, cosigned=tuple(cosigned))
        require(head.origin == self.origin, "origin", f"the log calls itself {head.origin}")
        require(len(cosigned) >= self.quorum, "quorum", f"{len(cosigned)} of {self.quorum} signed")
        require(head.size, "empty", "the log signed an empty tree: it shows no event at all")
        if self.seen is not None:
            later = newest or head.size > self.seen.size
            join(*((self.seen, head) if later else (head, self.seen)), self.growth)
        return head


@reading("not a bundle")
def prove(source: Path | IO[bytes], trust: Trust) -> tuple[Checkpoint, Json, bytes, Logs]:
    """Raise unless a bundle's events are in the signed tree, and its logs up to then complete."""
    with ZipFile(source) as file:
        found = [(one.filename, one.compress_type) for one in file.infolist()]
        small = sum(one.file_size for one in file.infolist()) <= BUNDLE_BYTES_MAX
        stored = small and found == [(name, ZIP_STORED) for name in FILES]
        require(stored, "malformed", f"a bundle holds {', '.join(FILES)}, stored")
        raw, report, note, siblings, shown = map(file.read, FILES)
    head, manifest, said = trust.open(note), json.loads(raw), json.loads(report)
    sequence, rows = manifest["sequence"], [row.split(b" ", 2) for row in shown.splitlines()]
    events = [(decode_decimal(at.decode()), leaf, b"".join(body)) for at, leaf, *body in rows]
    hashes = {at: leaf_hash(leaf) for at, leaf, _ in events}
    places = [at for at, _, _ in events]
    require(places == sorted(hashes), "malformed", "events in another order")
    proof = [decode_base64(row) for row in siblings.decode().splitlines()]
    require(root_with(hashes, head.size, proof) == head.root, "inclusion", "not the signed root")
    require(manifest["v"] == 1 and 0 < sequence <= head.size, "malformed", "another version")
    require(said.get("sequence", sequence) == sequence, "sequence", "the report says another one")
    logs: dict[str, list[tuple[int, bytes]]] = {log: [] for log in (*manifest["logs"], RULEBOOK)}
    chains, ended = dict.fromkeys(logs, b""), set[str]()
    for at, leaf, body in events:
        said = json.loads(leaf)
        text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        require(text.encode() == leaf, "leaf", "an envelope in another spelling than the canonical")
        if (log := said["log"]) in ended or log not in logs:
            continue
        position, place = len(logs[log]) + 1, f"{log}:{len(logs[log]) + 1}"
        require(said["position"] == position, "omitted", f"{place} is missing")
        if log != RULEBOOK and at >= sequence:  # the log's next event is later than the report
            ended.add(log)
            continue
        require(body, "bodies", f"{place} is shown without its body: nothing adds up")
        require(sha256(body).hexdigest() == said["body"], "body", f"{place} has another body")
        number = int.from_bytes(sha256(log.encode()).digest()[:8]) >> 1
        link = number.to_bytes(8) + position.to_bytes(8) + len(body).to_bytes(4)
        chains[log] = sha256(b"\x02" + chains[log] + link + body).digest()
        require(chains[log].hex() == said["chain"], "chain", f"{place} does not follow its log")
        logs[log].append((at, body))
    for log in logs.keys() - ended - {RULEBOOK}:  # then every envelope up to there is shown
        after = logs[log][-1][0] + 1 if logs[log] else 0
        many = bisect_left(places, sequence) - bisect_left(places, after)
        require(many == sequence - after, "omitted", f"{log} may have events after {after}")
    require(len(logs[RULEBOOK]) == manifest["rules_at"], "rules", "not the rulebook that was used")
    return head, manifest, report, logs


def add_event(amounts: Counter[Place], body: Json) -> None:
    """Add what an event's body (JSON state) says to a budget's amounts in minor units."""
    kind = body["kind"].removeprefix("budget.")
    if kind in ADDS:
        field, *figures = ADDS[kind].split()
        require(body.get("class_version", 1) == 1, "version", f"an unknown version of {kind}")
        said = {**body.get("command", {}), **body}
        turned = said.get("contra") and kind.split(".")[0] in CONTRA
        sign = -1 if bool(turned) != field.startswith("-") else 1
        day = said.get("effective_from") or said["value_date"]
        act_day = said.get("adopted_on") or said["act"]["date"]
        place = tuple(said["line"]), day, act_day, said.get("month", "")
        for figure in figures:
            amount = sign * said[f"{field[1:] or figure}_minor"]
            amounts[*place, f"plan_{said['plan']}" if figure == "plan" else figure] += amount
            if figure == "executed" and said.get("contract"):
                amounts[*place, "unpaid"] -= amount


def check_execution(report: Json, question: Json, amounts: Mapping[Place, int], rules: Json) -> int:
    """Raise unless an execution report is the sum of amounts, by the rules of a jurisdiction."""
    lines = defaultdict[Line, Counter[str]](Counter)
    sums = defaultdict[tuple[str, Line], Counter[str]](Counter)
    day, adopted, prefix = report["effective"], report["adopted"], question.get("prefix") or []
    for (line, since, act_day, month, figure), amount in amounts.items():
        if since <= day and act_day <= (adopted or act_day) and prefix == [*line[: len(prefix)]]:
            if not month or f"{month}-01" <= day:
                lines[line][figure] += amount
            if month:
                lines[line][f"{figure}_year"] += amount
    by, turned, sections = question.get("by"), dict[str, int](), {}
    require((digits := rules["minor_digits"]) in range(19), "rules", "no number of decimals")
    for section in rules["sections"]:  # V = I - II - III - IV (K25 9)
        name, inside = section["name"], section.get("identity") or 0
        part, sign = section.get("part") or name, inside or section.get("financing") or 0
        factor = sign and sign * turned.setdefault(part, inside or 1)
        depth = [None, *(one["name"] for one in section.get("dimensions", ())), by].index(by)
        sections[name] = depth, ("identity", (part,), factor), ("identity", ("V",), inside)
    for line, figures in lines.items():
        depth, *parts = sections.get(line[0], (len(line),))  # one that the law does not know now
        shown = line[:1] + line[depth : depth + 1] if by else line[: question.get("level")]
        for table, place, factor in (("rows", shown, 1), ("totals", line[:1], 1), *parts):
            for figure, amount in figures.items() if factor else ():
                sums[table, place][figure] += factor * amount
    rows = [(table, (row["part"],) if table == "identity" else tuple(row["line"]), row)
            for table in TABLES for row in report[table]]  # fmt: skip
    require(sorted(one[:2] for one in rows) == sorted(sums), "sums", "other lines than its events")
    for table, place, row in rows:
        for figure in TABLES[table]:
            whole, rest = divmod(abs(minor := sums[table, place][figure]), 10**digits)
            text = "-" * (minor < 0) + f"{whole:d}" + f".{rest:0{digits}d}" * (digits > 0)
            require(row[figure] == text, "sums", f"{figure} of {place}: {row[figure]}, not {text}")
    return sum(len(TABLES[table]) for table, _, _ in rows)


@reading("the bundle's documents")
def check_report(head: Checkpoint, manifest: Json, report: bytes, logs: Logs) -> Checked:
    """Say what a bundle shows; raise unless an execution report is the sum of its events."""
    name, question, sequence = (manifest[one] for one in ("report", "question", "sequence"))
    asked = " ".join(f"{name}={value}" for name, value in question.items() if value) or "-"
    lines = [f"report {name}", f"question: {asked}, true for all events up to sequence {sequence}"]
    for log, events in logs.items():
        lines.append(f"{log}: positions 1 to {len(events)}, bodies, chain and tree agree")
    if name != "execution":
        return head, [*lines, "its figures need `qazyna verify`, which makes it again"]
    said, amounts = json.loads(report), Counter[Place]()
    for _, body in logs[said["budget"]]:
        add_event(amounts, json.loads(body))
    ruled = [json.loads(body) for _, body in logs[RULEBOOK]]
    rules = [one["command"]["jurisdiction"] for one in ruled if one["kind"] == ADOPTED]
    require(rules, "rules", "the rulebook holds no jurisdiction")
    figures = check_execution(said, question, amounts, rules[-1])
    return head, [*lines, f"{figures} figures are the sums of these events"]


def check_paper(options: Namespace, trust: Trust) -> Checked:
    """Verify a checkpoint, a bundle, or a leaf's inclusion: leaf and body may come beside it."""
    if options.what == "bundle":
        return check_report(*prove(options.file, trust))
    if options.what == "checkpoint":
        return trust.open(options.file.read_bytes(), newest=True), ["checkpoint"]
    index, hashes, note, extra = read_proof(options.file.read_bytes(), INCLUSION)
    head, leaf = trust.open(note), options.leaf.read_bytes() if options.leaf else extra
    require(leaf, "leaf", "the file carries no leaf: name one with --leaf")
    verify_inclusion(index, head.size, leaf_hash(leaf), hashes, head.root)
    with reading("the leaf is no public envelope of an event", "leaf"):
        body, envelope = json.loads(leaf)["body"], json.loads(leaf).items()
    lines = [f"{name}: {json.dumps(value)}" for name, value in envelope]
    if options.body:
        require(sha256(options.body.read_bytes()).hexdigest() == body, "body", "another body")
        lines.append("(its body was compared)")
    return head, [f"event {index + 1} of {head.size}", *lines]


def main(arguments: Sequence[str] | None = None, check: Check = check_paper) -> int:
    """Verify one file; return 0, 1 where nothing is proven, 3 where the log is to be accused."""
    parser = ArgumentParser(prog="verify", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("what", choices=("checkpoint", "proof", "bundle"))
    add("file", type=Path, help="the checkpoint, the .tlog-proof, or the bundle of a report")
    add("--key", action="append", required=True, help="the log's vkey; again after a rotation")
    add("--origin", help="the log's name, if it is not the key's")
    add("--witness", action="append", default=[], help="vkey of a trusted witness")
    add("--quorum", type=int, default=0, help="how many of the witnesses must have signed")
    add("--state", type=Path, help="where the last checkpoint seen is remembered")
    add("--consistency", type=Path, help="proof that joins the remembered tree and this one")
    add("--leaf", type=Path, help="the event's envelope, if the proof does not carry it")
    add("--body", type=Path, help="the event's body, to be compared with the proven hash")
    options, seen = parser.parse_args(arguments), None
    try:
        keys, witnesses = (tuple(map(Key.parse, one)) for one in (options.key, options.witness))
        origin, growth = options.origin or keys[0].name, options.consistency
        if options.state and options.state.exists():
            seen = Trust(keys, origin).open(options.state.read_bytes())
        growth = growth and read_proof(growth.read_bytes(), CONSISTENCY)
        trust = Trust(keys, origin, witnesses, options.quorum, seen, growth)
        head, (what, *lines) = check(options, trust)
        if options.state and (seen is None or head.size > seen.size):  # whole or not at all
            fresh = options.state.with_name(f"{options.state.name}.new")
            fresh.write_bytes(head.raw)
            with fresh.open("rb+") as file:
                os.fsync(file.fileno())
            fresh.replace(options.state)
    except (OSError, ProofError) as error:
        if (code := getattr(error, "code", "file")) not in ALARMS:
            sys.stderr.write(f"NOT VERIFIED ({code}): {error}\n")
            return 1
        kept = seen.raw.decode() if seen else "(nothing)\n"
        told = f"!!! ALARM ({code}): {error}\n!!! Keep {options.file}, signed by the log: it is"
        sys.stderr.write(f"{told} evidence together with the checkpoint seen before:\n{kept}")
        return 3
    grown = f"the same tree as remembered at {seen.size}" if seen else "nothing to compare with"
    cosigned = [f"cosigned by {key.name} at {moment}" for key, moment in head.cosigned]
    what = f"OK {what} in {head.origin} at size {head.size} ({grown})"
    sys.stdout.write("\n  ".join(repr(one)[1:-1] for one in (what, *cosigned, *lines)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
