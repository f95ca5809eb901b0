"""A report with everything that it rests on, gathered from the database into one file.

What a bundle is: `ledger/proofs/bundle.py`; how it is checked: `ledger/proofs/verify.py`. Nothing
is handed out that does not lead to the signed root.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from api.assembly import Running
from api.recomputed import compose
from ledger.errors import Corrupt, Invalid, NotFound, Unavailable
from ledger.events import RULEBOOK
from ledger.proofs import merkle
from ledger.proofs.bundle import VERSION, Bundle, Shown, gaps
from ledger.proofs.leaf import Leaf
from ledger.proofs.verify import leaf_hash, root_with
from ledger.store.evidence import LEAVES_MAX, SignedHead, prove, read_leaves
from ledger.store.keys import Refused
from ledger.store.read import FeedEvent, read_feed

EVENTS_MAX = 200_000
"""Most events of a bundle; all of them stand in memory."""
RECEIVED = "budget.transfer.received"
SIGNED_SECONDS, POLL_SECONDS = 10.0, 0.05
"""Longest wait for the checkpoint that holds everything the report is true for."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A report: name, question, the sequence for which it is true, its rules, the logs it needs.

    Without a `document` as served it is made of these events, by the composition that verifies it.
    With `payers`, what the budget received needs the logs of those who sent it. Without `logs` it
    needs every event of the ledger up to its sequence; `rules_at` is then counted among them.
    """

    name: str
    question: Mapping[str, Any]
    sequence: int
    rules_at: int
    logs: Sequence[str] | None
    document: Mapping[str, Any] | None = None
    payers: bool = False


async def gather(parts: Running, answered: Answered) -> bytes:
    """Return the bundle of a report. Raises `Invalid` where it would be too large.

    One at a time in a process: each may hold all its events in memory.
    """
    if answered.sequence < 1:
        raise NotFound("unknown-event", "nothing is sequenced yet: there is nothing to prove")
    async with parts.bundling:
        return await _gather(parts, answered)


async def _gather(parts: Running, answered: Answered) -> bytes:
    """Read the events, make the report where it is made of them, prove and write."""
    logs = await _events(parts, answered)
    whole = answered.logs is None
    answered = replace(answered, logs=[log for log in logs if log != RULEBOOK],
                       rules_at=len(logs[RULEBOOK]))  # fmt: skip
    report = await asyncio.to_thread(_report, answered, logs)
    last = max((answered.sequence, *(one.sequence for one in logs[RULEBOOK])))
    head = await _signed(parts, last)
    shown = await asyncio.to_thread(_all_shown, logs, last, head.size)
    async with parts.ledger.database.connect("reader") as connection:
        for log in () if whole else answered.logs or ():
            await _close(connection, answered.sequence, head.size, logs[log], shown)
        indexes = sorted(shown)
        proof = await prove(connection, head.size, lambda source: [
            merkle.subtree_hash(start, end, source) for start, end in gaps(indexes, head.size)
        ])  # fmt: skip
    bundle = Bundle(_manifest(parts, answered), report, head.note,
                    tuple(proof), tuple(shown[at] for at in indexes))  # fmt: skip
    return await asyncio.to_thread(_written, bundle, head)


def _all_shown(logs: Mapping[str, Sequence[FeedEvent]], last: int, size: int) -> dict[int, Shown]:
    """Return the lines of all events in a tree of `size`, by index; bodies up to `last`."""
    return {
        one.sequence - 1: _shown(one, with_body=log == RULEBOOK or one.sequence <= last)
        for log, events in logs.items() for one in events if one.sequence <= size
    }  # fmt: skip


def _report(answered: Answered, logs: Mapping[str, Sequence[FeedEvent]]) -> bytes:
    """Return the report as served, or made of the events up to its sequence."""
    if answered.document is not None:
        return orjson.dumps(answered.document)
    return compose(answered.name, answered.question, answered.sequence, {
        log: [(one.sequence - 1, one.body) for one in events
              if log == RULEBOOK or one.sequence <= answered.sequence]
        for log, events in logs.items()
    })  # fmt: skip


def _written(bundle: Bundle, head: SignedHead) -> bytes:
    """Write the bundle, after a look whether it leads to the signed root."""
    hashes = {one.at: leaf_hash(one.leaf) for one in bundle.events}
    if root_with(hashes, head.size, bundle.proof) != head.root:
        raise Corrupt("the stored events do not lead to the signed root", size=head.size)
    return bundle.write()


async def _events(parts: Running, answered: Answered) -> dict[str, list[FeedEvent]]:
    """Return each log's events up to the report's sequence and one more; the rulebook's in use."""
    async with parts.ledger.database.connect("reader") as connection:
        if answered.logs is None:
            return await _all_events(connection, answered.sequence)
        found: dict[str, list[FeedEvent]] = {}
        wanted = [*answered.logs, RULEBOOK]
        for log in wanted:
            events = await read_feed(connection, 0, EVENTS_MAX + 1, log)
            _bound(sum(map(len, found.values())) + len(events))
            if log == RULEBOOK:
                found[log] = [one for one in events if one.position <= answered.rules_at]
            else:
                before = sum(one.sequence <= answered.sequence for one in events)
                found[log] = events[: before + 1]
                if answered.payers and log in answered.logs:
                    wanted += sorted(_payers(found[log][:before]) - {*wanted})
    if len(found[RULEBOOK]) < answered.rules_at:
        raise Unavailable("a rule that the report uses has no sequence yet; ask again")
    return found


async def _all_events(connection: Any, sequence: int) -> dict[str, list[FeedEvent]]:
    """Return every log's events up to a sequence, the rulebook's too."""
    _bound(sequence)
    found: dict[str, list[FeedEvent]] = {RULEBOOK: []}
    for one in await read_feed(connection, 0, sequence):
        found.setdefault(one.budget, []).append(one)
    return found


def _bound(many: int) -> None:
    """Refuse a bundle of more events than fit."""
    if many > EVENTS_MAX:
        raise Invalid(f"the report rests on more than {EVENTS_MAX} events: ask for one as known "
                      "earlier, for one budget, or audit the ledger")  # fmt: skip


def _payers(events: Sequence[FeedEvent]) -> set[str]:
    """Return the budgets whose transfers these events received."""
    return {orjson.loads(one.body)["peer"] for one in events if one.kind == RECEIVED}


async def _signed(parts: Running, size: int) -> SignedHead:
    """Return a checkpoint that holds a sequence, waiting a moment for the notary."""
    deadline = asyncio.get_running_loop().time() + SIGNED_SECONDS
    while True:
        head = await parts.evidence.checkpoint()
        if head is not None and head.size >= size:
            return head
        if asyncio.get_running_loop().time() > deadline:
            raise Unavailable(f"no checkpoint holds sequence {size} yet; ask again later")
        parts.notary.nudge()
        await asyncio.sleep(POLL_SECONDS)


async def _close(
    connection: Any, sequence: int, size: int, events: Sequence[FeedEvent], shown: dict[int, Shown]
) -> None:
    """Show that a log has no further event up to a sequence: a later one, else all envelopes."""
    if events and sequence < events[-1].sequence <= size:
        return
    own = [one.sequence for one in events if one.sequence <= sequence]
    first = own[-1] + 1 if own else 1
    if sequence - first >= LEAVES_MAX:
        raise Invalid(f"{sequence - first + 1} envelopes would have to show that nothing follows "
                      f"sequence {first - 1}: ask as known={first - 1}")  # fmt: skip
    if first <= sequence:
        leaves = await read_leaves(connection, first, sequence)
        for at, leaf in enumerate(leaves, first - 1):
            shown.setdefault(at, Shown(at, leaf, None))


def _shown(event: FeedEvent, *, with_body: bool) -> Shown:
    """Return an event's line in the bundle."""
    digest = hashlib.sha256(event.body).digest()
    leaf = Leaf(log=event.budget, position=event.position, kind=event.kind,
                recorded_at=event.recorded_at, chain=event.hash, body=digest)  # fmt: skip
    return Shown(event.sequence - 1, leaf.encode(), event.body if with_body else None)


def _manifest(parts: Running, answered: Answered) -> dict[str, Any]:
    """Return what the bundle says of itself; the keys are a hint, nobody should trust them."""
    try:
        keys = [key.text for key in parts.notary.keys.public()]
    except Refused:  # another process signs
        keys = []
    return {
        "v": VERSION, "report": answered.name, "question": answered.question,
        "sequence": answered.sequence, "rules_at": answered.rules_at,
        "logs": list(answered.logs or ()), "keys": keys,
    }  # fmt: skip
