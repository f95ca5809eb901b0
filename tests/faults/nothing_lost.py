"""The law of nothing lost, as one function that every fault test ends with.

1. What was acknowledged or refused is stored, at that position, with those bytes.
2. What is stored was acknowledged or unknown; what was refused is not stored as accepted.
3. Asked again under its own id, every unknown is stored exactly once; `replayed` is truthful.
4. Positions and sequences have no gap; the chain holds and extends what it was before.
5. Sums balance, no limit is broken at any prefix: everything decided again, byte for byte.
6. Every projection rebuilt from zero equals the live one.
7. The oracle, fed the stored commands, agrees with every verdict and with the sums.
"""

import asyncio
import tomllib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.events import read_command
from ledger.store.pool import Database
from ledger.store.replay import replay
from projections.rebuild import rebuild
from projections.registry import NAMES
from projections.versions import prepare
from tests.faults.journal import OPEN, SETTLED, Entry, entry
from tests.faults.stored import (
    WAIT_SECONDS,
    Row,
    Stored,
    chain,
    in_order,
    query,
    sequenced,
    stored,
    wire,
)
from tests.oracle.oracle import Oracle
from tests.store.test_sequencer import assert_sequenced
from tests.store.world import ROOT, assert_no_limit_broken_at_any_prefix, assert_sound

LAW = tomllib.loads((ROOT / "deploy/jurisdictions/kz.toml").read_text(encoding="utf-8"))
SUMMED = ("cash", "executed", "accepted")
Retry = Callable[[dict[str, Any]], Awaitable[Sequence[Entry]]]


@dataclass(kw_only=True)
class Verdict:
    """What a run counted; `lost` is zero, or the law would have failed."""

    fired: int
    events: int = 0
    lost: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items()))
        return f"faults fired {self.fired}, events {self.events}, {told}, lost: {self.lost}"


async def nothing_lost(
    dsn: str, journal: Iterable[Entry], *, retry: Retry, fired: int, earlier: Stored,
    projected: bool = True,
) -> Verdict:  # fmt: skip
    """Judge a run by its clients' journals; `earlier` is what was stored before they began.

    The ledger must run: `retry` asks one command once more, and it gives sequences.
    """
    assert fired, "the fault never fired"
    entries = list(journal)
    before = await stored(dsn)
    _what_was_told_is_stored(before, entries)
    _what_is_stored_was_told(before, entries, earlier)
    entries += await _asked_again(before, entries, retry)
    await sequenced(dsn)
    now = await stored(dsn)
    _what_was_told_is_stored(now, entries)
    _once_and_truthful(now, entries)
    _chains_hold(now, earlier)
    assert await assert_sequenced(dsn) == len(now.rows)
    await assert_sound(dsn)
    await assert_no_limit_broken_at_any_prefix(dsn)
    report = await replay(dsn)
    findings = [str(finding) for finding in report.findings]
    assert findings == [], findings
    assert report.events == len(now.rows)
    if projected:
        await rebuilt_equals_live(dsn)
    await _oracle_agrees(dsn, now)
    outcomes = Counter(one.outcome for one in entries)
    return Verdict(fired=fired, events=len(now.rows), outcomes=outcomes)


def _what_was_told_is_stored(log: Stored, entries: list[Entry]) -> None:
    """Points 1 and half of 2: every settled answer names its own command's place."""
    failed = [(one.code, one.document) for one in entries if one.outcome == "failed"]
    assert failed == [], failed
    for one in entries:
        assert one.body_hash == entry(one.document, one.outcome).body_hash
        if one.outcome not in SETTLED:
            continue
        row = log.at.get((one.document["budget"], one.position))
        assert row is not None, ("lost", one)
        assert row.command_id == one.command_id, ("another command stands there", one)
        assert row.asked == read_command(one.document), ("other bytes", one)
        assert row.refusal == one.code, ("another verdict", one, row.refusal)


def _what_is_stored_was_told(log: Stored, entries: list[Entry], earlier: Stored) -> None:
    """The rest of point 2: nothing is stored that nobody was told of or may not have known."""
    told: dict[str, set[str]] = {}
    for one in entries:
        told.setdefault(one.command_id, set()).add(one.outcome)
    for command_id in log.firsts.keys() - earlier.firsts.keys():
        assert told.get(command_id, set()) & {*SETTLED, "unknown"}, ("never told", command_id)


async def _asked_again(before: Stored, entries: list[Entry], retry: Retry) -> list[Entry]:
    """Point 3: ask what is open until it is settled; the first answer tells what was stored."""
    settled = {one.command_id for one in entries if one.outcome in SETTLED}
    waiting = {one.command_id: one.document for one in entries
               if one.outcome in OPEN and one.command_id not in settled}  # fmt: skip
    heard: list[Entry] = []
    async with asyncio.timeout(2 * WAIT_SECONDS):
        for command_id, document in waiting.items():
            said = list(await retry(document))
            if said[0].outcome in SETTLED:
                truth = command_id in before.firsts
                assert said[0].replayed == truth, ("replayed is not true", said[0], truth)
            while said[-1].outcome in OPEN:
                await asyncio.sleep(0.1)
                said += await retry(document)
            heard += said
    return heard


def _once_and_truthful(log: Stored, entries: list[Entry]) -> None:
    """Point 3: one command is stored once, with all its events, and was new exactly once."""
    found: dict[str, list[Entry]] = {}
    for one in entries:
        found.setdefault(one.command_id, []).append(one)
    for command_id, mine in found.items():
        outcomes = {one.outcome for one in mine}
        times = len(log.firsts.get(command_id, []))
        if not outcomes & {*SETTLED, "reused"}:
            assert (outcomes, times) == ({"withheld"}, 0), ("stored or not settled", mine)
            continue
        assert times == 1, ("stored", times, mine)
        [row] = log.firsts[command_id]
        sides = len(row.asked.budgets()) if row.refusal is None else 1
        assert len({each.code for each in log.events[command_id]}) == sides, ("half", mine)
        new = sum(one.outcome in SETTLED and not one.replayed for one in mine)
        assert new == 1 or (new == 0 and "unknown" in outcomes), ("new", new, mine)
        for one in mine:
            same = row.asked == read_command(one.document)
            assert same != (one.outcome == "reused"), ("reused", same, one)


def _chains_hold(log: Stored, earlier: Stored) -> None:
    """Point 4, from the bytes alone; what stood before stands still."""
    logs: dict[str, list[Row]] = {}
    for row in log.rows:
        logs.setdefault(row.code, []).append(row)
    for code, rows in logs.items():
        assert [row.position for row in rows] == list(range(1, len(rows) + 1)), code
        hashes = chain(code, (row.body for row in rows))
        assert hashes == [row.hash for row in rows], code
        before = earlier.chains.get(code, [])
        assert hashes[: len(before)] == before, code
    assert earlier.chains.keys() <= logs.keys()


async def rebuilt_equals_live(dsn: str) -> None:
    """Point 6: each projection built beside the live one has the same rows."""
    database = Database(dsn)
    await database.open()
    try:
        connection = await database.listen("projector")
        await prepare(connection)
        parked = await connection.fetch("SELECT * FROM projections.parked")
        await connection.close()
        assert parked == []
        for name in NAMES:
            assert (await rebuild(database, name)).differences == ()
    finally:
        await database.close()


async def _oracle_agrees(dsn: str, log: Stored) -> None:
    """Point 7: the second implementation gives every verdict again, and the same sums."""
    oracle = Oracle(LAW)
    for row in in_order(log.rows, Counter()):
        said, detail = oracle.post(wire(row.asked), row.recorded)
        same = said == ("refused" if row.refusal else "accepted")
        same &= (detail == "limit-exceeded") == (row.refusal == "limit-exceeded")
        assert same, (row.asked, said, detail, row.refusal)
    sums: Counter[tuple[str, str]] = Counter()
    for one in oracle.entries:
        if one.measure in SUMMED:
            sums[one.budget, one.measure] += one.amount
    columns = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in SUMMED)
    statement = (f"SELECT h.code, {columns} FROM ledger.events AS e "
                 "INNER JOIN ledger.heads AS h USING (region, log) GROUP BY 1")  # fmt: skip
    for row in await query(dsn, statement):
        assert {name: row[name] for name in SUMMED} == {n: sums[row["code"], n] for n in SUMMED}
