"""One attempt to decide the open commands of a batch and to write them in one transaction.

Nothing that is decided counts before it is written: verdicts wait in `Item.pending` and become
results when the transaction is over. What needs no writing (a repeat, an unknown budget) is a
result at once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ledger.decision import Decision, decide
from ledger.errors import Broken, LedgerError, NotFound
from ledger.events import RULEBOOK, Command, log_id
from ledger.store.annex import write_annex
from ledger.store.answers import Answer, Recent, answer_of, compare, stored_answers
from ledger.store.cache import Cache, codes_of
from ledger.store.pool import transaction
from ledger.store.rows import Batch, stage, year_of
from ledger.store.sql import sql
from ledger.store.waiting import Item, Result
from ledger.timelines import Missing

log = logging.getLogger(__name__)

Sent = dict[tuple[int, int], bytes]
"""Chain hash by log and position of what was sent and may have been stored."""


class Attempt:
    """Decides and writes once; `sent` is what a lost connection leaves unknown."""

    def __init__(
        self, cache: Cache, recent: Recent, connection: Any, now: int,
        ahead: Attempt | None = None,
    ) -> None:  # fmt: skip
        """Take the clock's time in microseconds for everything decided here.

        `ahead` is what is being written meanwhile; this one counts only if that succeeds.
        """
        self.cache = cache
        self.recent = recent
        self.connection = connection
        self.now = now
        self.sent: Sent = {}
        self._batches: dict[int, Batch] = {}
        self._calls: list[list[Any]] = []
        self.seen: dict[UUID, tuple[Command, Answer]] = {}
        self._ahead = ahead.seen if ahead else {}
        self._years: set[int] = set()
        self._annexed: list[tuple[int, Command]] = []
        self._reading = connection

    async def run(self, items: Sequence[Item], *, locked: bool, before: Sent | None = None) -> None:
        """Give every open command its result.

        `before`, what earlier attempts sent, asks for a look into the log first.
        """
        if not locked:
            await self.prepare(items, self.connection)
            await self.write()
        else:
            await self._start(items, self.connection)
            async with transaction(self.connection):
                codes = {code for item in items for code in codes_of(item.open_commands())}
                await self.cache.lock(self.connection, codes)
                if before is not None:
                    await self._settle(items, before)
                await self._decide(items)
                await self._write()
        self.conclude(items)

    async def prepare(self, items: Sequence[Item], reading: Any) -> None:
        """Decide every open command; what has to be loaded is read through `reading`."""
        await self._start(items, reading)
        if self.cache.rules.position == 0:
            await self.cache.load_rules(reading)
        codes = {code for item in items for code in codes_of(item.open_commands())}
        await self.cache.load(reading, codes)
        await self._decide(items)

    async def write(self) -> None:
        """Write what was decided: one statement where nothing has to be made beforehand."""
        if self._opens() or self._annexed:
            async with transaction(self.connection):
                await self._write()
        elif self._batches:
            await self._write()

    async def _start(self, items: Sequence[Item], reading: Any) -> None:
        """Find the budgets of the commands and what is answered already."""
        self._reading = reading
        self.cache.begin()
        for item in items:
            item.pending.clear()
        heads = self.cache.heads
        codes = {code for item in items for code in codes_of(item.commands)}
        if not codes <= heads.keys():
            await self.cache.know(reading, codes)
        self._find(items)

    def _find(self, items: Sequence[Item]) -> None:
        """Answer repeats from memory and commands on budgets that do not exist."""
        heads, recent = self.cache.heads, self.recent
        opening = {c.budget for item in items for c in item.commands if c.name == "OpenBudget"}
        for item in items:
            for place, asked in enumerate(item.commands):
                if item.results[place] is not None:
                    continue
                for code in asked.budgets():
                    if code not in heads and code not in opening and code != RULEBOOK:
                        item.results[place] = _unknown(code)
                        break
                else:
                    item.results[place] = recent.answer(asked)

    async def _settle(self, items: Sequence[Item], before: Sent) -> None:
        """Look up what is stored: sent before, or by somebody else under the same id."""
        regions = {code: head.region for code, head in self.cache.heads.items()}
        asked = [c for item in items for c in item.open_commands()]
        stored = iter(await stored_answers(self.connection, asked, regions, before))
        for item in items:
            item.results = [next(stored) if result is None else result for result in item.results]

    async def _decide(self, items: Sequence[Item]) -> None:
        """Decide every open command in order against the remembered cells."""
        open_items = [item for item in items if item.is_open]
        await self.cache.load_contracts(
            self._reading, (c for item in open_items for c in item.open_commands())
        )
        for item in open_items:
            for place, asked in enumerate(item.commands):
                if item.results[place] is None:
                    item.pending[place] = await self._decide_new(asked)
            if item.atomic and any(
                isinstance(verdict, LedgerError) or verdict.status == "refused"
                for place, result in enumerate(item.results)
                if (verdict := item.pending.get(place, result)) is not None
            ):
                self._withhold(item)
        self._seal()

    async def _decide_new(self, asked: Command) -> Result:
        """Decide one command, unless it repeats an earlier one of the batch."""
        earlier = self.seen.get(asked.command_id) or self._ahead.get(asked.command_id)
        if earlier is not None:
            return compare(*earlier, asked)
        states = self.cache.touch(asked)
        if states is None:
            return _unknown(next(c for c in asked.budgets() if c not in self.cache.states))
        latest = max(state.recorded_at for state in states.values())
        recorded_at = self.now if self.now >= latest else latest + 1
        while True:
            try:
                decision = decide(states, asked, self.cache.rules, recorded_at)
                break
            except Missing as need:
                await self.cache.load_missing(self._reading, states[need.code], need.key, asked)
            except LedgerError as error:
                return error
            except Exception as error:
                log.exception("%s %s cannot be decided", asked.name, asked.command_id)
                return Broken(f"{asked.name} cannot be decided: {error!r}")
        return self._stage(asked, decision)

    def _stage(self, asked: Command, decision: Decision) -> Answer:
        """Stage a decision for writing; the refused opening of a budget has no log to be in."""
        answer = answer_of(decision)
        state = self.cache.states[asked.budget]
        if decision.refusal and state.position == 0 and asked.budget != RULEBOOK:
            del self.cache.states[asked.budget]
            return answer.unstored("refused")
        stage(decision, self.cache.states, self._batches)
        self.cache.take(decision)
        if asked.annex is not None or (asked.erases and decision.refusal is None):
            self._annexed.append((state.region, asked))
        self.seen[asked.command_id] = (asked, answer)
        return answer

    def _withhold(self, item: Item) -> None:
        """Write nothing of an atomic request (it is alone) that has a refused or failed part."""
        self._batches.clear()
        self._annexed.clear()
        self.seen.clear()
        self.cache.rewind()
        for place, verdict in item.pending.items():
            if isinstance(verdict, Answer):
                status = "refused" if verdict.status == "refused" else "withheld"
                item.pending[place] = verdict.unstored(status)

    def _opens(self) -> bool:
        """Tell whether the batch opens a log or begins a year."""
        return any(start == 0 for batch in self._batches.values()
                   for start, _ in batch.heads.values())  # fmt: skip

    def _seal(self) -> None:
        """Fix what will be written: the states move on while it is being written."""
        for region in sorted(self._batches):
            batch = self._batches[region]
            rules_at = self.cache.rules.position
            if RULEBOOK in batch.heads:
                rules_at = batch.heads[RULEBOOK][0]
            self._calls.append(batch.arguments(self.cache.states, rules_at))

    async def _write(self) -> None:
        """Call `ledger.append` once a region, in region order: one prepared statement, one
        round trip, one transaction.
        """
        if self._opens():
            for region in sorted(self._batches):
                await self._make_room(region, self._batches[region])
        if self._batches:
            for batch in self._batches.values():
                self.sent.update(batch.hashes())
            await self.connection.executemany(sql("queries/append"), self._calls)
        if self._annexed:
            await write_annex(self.connection, self._annexed)

    async def _make_room(self, region: int, batch: Batch) -> None:
        """Claim the codes of the logs that a batch opens and make the tables of their years."""
        states = self.cache.states
        years = {year_of(states[code]) for code in batch.heads}
        for year in sorted(years - self.cache.made_years):
            await self.connection.execute("SELECT ledger.ensure_year($1)", year)
        self._years |= years
        opened = [code for code, (start, _) in batch.heads.items() if start == 0]
        if opened:
            await self.connection.execute("SELECT ledger.claim_codes($1, $2)", region, opened)

    def moved(self) -> set[tuple[int, int]]:
        """Return region and number of each log that the attempt writes to."""
        return {(batch.region, log_id(code)) for batch in self._batches.values()
                for code in batch.heads}  # fmt: skip

    def conclude(self, items: Sequence[Item]) -> None:
        """Make verdicts results: they are written."""
        self.cache.made_years |= self._years
        for asked, answer in self.seen.values():
            self.recent.remember(asked, answer)
        for item in items:
            for place, verdict in item.pending.items():
                item.results[place] = verdict


def _unknown(code: str) -> NotFound:
    """Return the error for a budget that no log has."""
    return NotFound("unknown-budget", f"no budget {code} is open", budget=code)
