"""The audit: from the signed head through every new leaf and body to the sums of the reports.

In order: the head is signed and grew out of the remembered one; every new leaf follows in its log,
has the body that is shown, and both chains; the leaves lead to the signed root; each budget that
moved has the execution report that its events sum up to. With `rules`, every command is decided
again. What was found right before is not fetched again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from api.auditing.memory import TREE, Memory
from api.auditing.remote import Remote
from api.auditing.rules import Decider
from ledger.proofs.leaf import Leaf
from ledger.proofs.merkle import CompactRange, consistency_proof
from ledger.proofs.tiles import WIDTH, Tile, TileSource, width_at
from ledger.proofs.verify import (
    ADOPTED,
    RULEBOOK,
    Checkpoint,
    Place,
    Proof,
    ProofError,
    Trust,
    add_event,
    check_execution,
    join,
    leaf_hash,
)

TELL_EVERY = 1000
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)


@dataclass
class LogEnd:
    """Where a log ends for the auditor: position, chain hash, time of the last event, and sums."""

    position: int = 0
    chain: bytes = b""
    recorded_at: int = 0
    sums: Counter[Place] = field(default_factory=Counter)

    def follow(self, leaf: Leaf, body: bytes, said: Mapping[str, Any]) -> None:
        """Take the log's next event; `said` is its body read. Raises ProofError."""
        place = f"{leaf.log}:{leaf.position}"
        if leaf.position != self.position + 1:
            raise ProofError("omitted", f"{leaf.log}:{self.position + 1} is missing before {place}")
        if leaf.recorded_at < self.recorded_at:
            raise ProofError("back-dated", f"{place} says that it was recorded before the last one")
        leaf.check_body(self.chain, body)
        self.position, self.chain, self.recorded_at = leaf.position, leaf.chain, leaf.recorded_at
        add_event(self.sums, said)


@dataclass(frozen=True, kw_only=True)
class Audited:
    """What an audit looked at: the head, the size it began from, and how much of what."""

    head: Checkpoint
    seen: Checkpoint | None
    begun: int
    events: int
    logs: int
    figures: int
    reports: int
    commands: int | None


class Audit:
    """One audit of a service; nothing is remembered unless all of it is right."""

    def __init__(
        self, remote: Remote, trust: Trust, memory: Memory, *, rules: bool = False,
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> None:  # fmt: skip
        """Take the service, whom to trust, what is remembered, and whether to decide again."""
        self.remote, self.trust, self.memory, self.progress = remote, trust, memory, progress
        self.logs: dict[str, LogEnd] = {}
        self.remembered: dict[str, tuple[int, str]] = {}
        self.rewritten: list[str] = []
        self.jurisdiction = memory.recall(TREE, "jurisdiction")
        self.decider = Decider(memory) if rules else None

    def run(self, *, again: bool = False) -> Audited:
        """Audit and remember; `again` begins with the first event. Raises ProofError."""
        head = self.trust.open(self.remote.checkpoint())
        seen = self.memory.seen(Trust(self.trust.keys, self.trust.origin))
        if seen is not None:
            join(seen, head, self._growth(seen, head))
        edge = self._edge(again=again)
        begun = edge.size
        leaves = self.remote.leaves(begun, head.size)
        events = self.remote.events(begun, head.size)
        for sequence, (leaf, item) in enumerate(zip(leaves, events, strict=True), begun + 1):
            self._take(sequence, leaf, item)
            edge.append(leaf_hash(leaf))
            if sequence % TELL_EVERY == 0:
                self.progress(sequence - begun, head.size - begun)
        if edge.root != head.root:
            raise self._differing(begun, head)
        commands = self.decider.report.commands if self.decider else None
        figures, reports = self._check_reports(head)
        self._keep()
        self.memory.keep(head, edge)
        return Audited(
            head=head, seen=seen, begun=begun, events=head.size - begun, logs=len(self.logs),
            figures=figures, reports=reports, commands=commands,
        )  # fmt: skip

    def _edge(self, *, again: bool) -> CompactRange:
        """Return where to go on: at the remembered edge, or, where the cells lag, at the start."""
        edge = self.memory.edge()
        lagging = self.decider is not None and self.decider.report.events != edge.size
        if not again and not lagging:
            return edge
        self.remembered = self.memory.ends()
        self.memory.forget()
        self.jurisdiction = None
        if self.decider is not None:
            self.decider.restart()
        return CompactRange()

    def _growth(self, seen: Checkpoint, head: Checkpoint) -> Proof | None:
        """Return the consistency proof from the remembered head, made from the served tiles."""
        if head.size <= seen.size:
            return None
        hashes = consistency_proof(seen.size, head.size, TileSource(self.remote.tile, head.size))
        return seen.size, hashes, head.raw, b""

    def _take(self, sequence: int, raw: bytes, item: dict[str, Any]) -> None:
        """Check one leaf and the event that is shown for it."""
        leaf = Leaf.decode(raw)
        try:
            body = item["body"].encode()
            shown = (item["budget"], item["position"], item["kind"], item["hash"])
            if shown != (leaf.log, leaf.position, leaf.kind, leaf.chain.hex()):
                raise ProofError("event", f"sequence {sequence} is shown as {shown[0]}:{shown[1]}, "
                                 f"the tree holds {leaf.log}:{leaf.position}")  # fmt: skip
            said = orjson.loads(body)
            self._end(leaf.log).follow(leaf, body, said)
            position, chain = self.remembered.get(leaf.log, (0, ""))
            if leaf.position == position and leaf.chain.hex() != chain:
                self.rewritten.append(f"{leaf.log} up to position {position}")
            if leaf.kind == ADOPTED:
                self.jurisdiction = said["command"]["jurisdiction"]
            if self.decider is not None:
                self.decider.decide_next(sequence, leaf, body, said)
        except UNREADABLE as error:
            raise ProofError("malformed", f"sequence {sequence}: {error!r}") from error

    def _end(self, log: str) -> LogEnd:
        """Return where a log ends, as remembered at its first event of this audit."""
        found = self.logs.get(log)
        if found is None:
            found, kept = LogEnd(), self.memory.recall(log, "end")
            if kept is not None:
                amounts = {(tuple(line), *rest): amount for line, *rest, amount in kept["sums"]}
                found = LogEnd(kept["position"], bytes.fromhex(kept["chain"]), kept["recorded_at"],
                               Counter(amounts))  # fmt: skip
            self.logs[log] = found
        return found

    def _differing(self, begun: int, head: Checkpoint) -> ProofError:
        """Name the first shown leaf that is not the tree's, else a log that ends otherwise now.

        The root alone names no place, and a partial tile may be made of the altered events.
        """
        leaves = iter(self.remote.leaves(begun - begun % WIDTH, head.size))
        for index in range(begun // WIDTH, -(-head.size // WIDTH)):
            tile = Tile(0, index, width_at(0, index, head.size))
            source = TileSource(self.remote.tile, head.size)
            for at, (one, leaf) in enumerate(zip(source.read(tile), leaves, strict=False)):
                if leaf_hash(leaf) != one:
                    shown = Leaf.decode(leaf)
                    place = f"sequence {index * WIDTH + at + 1} ({shown.log}:{shown.position})"
                    return ProofError("altered", f"{place} is not the event that was signed")
        for place in self.rewritten:
            return ProofError("altered", f"{place} is not what was seen and signed before")
        return ProofError("altered", "events and tiles do not lead to the signed root")

    def _check_reports(self, head: Checkpoint) -> tuple[int, int]:
        """Compare the execution report of each budget that moved with its sums."""
        figures = reports = 0
        for log, end in self.logs.items():
            if log == RULEBOOK:
                continue
            report = self.remote.execution(log, head.size)
            try:
                figures += check_execution(report, {}, end.sums, self.jurisdiction)
            except ProofError as error:
                raise ProofError(error.code, f"execution report of {log}: {error}") from error
            except UNREADABLE as error:
                raise ProofError("malformed", f"execution report of {log}: {error!r}") from error
            reports += 1
        return figures, reports

    def _keep(self) -> None:
        """Put where each log that moved ends now."""
        for log, end in self.logs.items():
            sums = [[*place, amount] for place, amount in end.sums.items()]
            self.memory.put(log, [("end", {
                "position": end.position, "chain": end.chain.hex(),
                "recorded_at": end.recorded_at, "sums": sums,
            })])  # fmt: skip
        keys = [key.text for key in self.trust.keys]
        self.memory.put(TREE, [("jurisdiction", self.jurisdiction), ("keys", keys)])
        if self.decider is not None:
            self.decider.keep()
