"""One attempt to decide the open commands of a batch and to write them in one transaction.

Nothing that is decided counts before it is written: verdicts wait in `Item.pending` and become
results when the transaction is over. What needs no writing (a repeat, an unknown budget) is a
result at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ledger.cells import Missing
from ledger.decision import Decision, decide
from ledger.errors import Broken, LedgerError, NotFound
from ledger.events import RULEBOOK, Command
from ledger.store.answers import Answer, Recent, answer_of, compare, stored_answers
from ledger.store.cache import Cache, codes_of
from ledger.store.pool import transaction
from ledger.store.rows import Batch, stage, year_of
from ledger.store.sql import sql

log = logging.getLogger(__name__)

Result = Answer | LedgerError
Sent = dict[tuple[int, int], bytes]
"""Chain hash by log and position of what was sent and may have been stored."""


@dataclass
class Item:
    """A request waiting in the queue: commands decided together, one result each."""

    commands: Sequence[Command]
    atomic: bool
    done: asyncio.Future[list[Result]]
    results: list[Result | None]
    pending: dict[int, Result] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Tell whether a command has no result yet."""
        return None in self.results

    def open_commands(self) -> list[Command]:
        """Return the commands without a result."""
        return [asked for asked, result in zip(self.commands, self.results, strict=True)
                if result is None]  # fmt: skip

    def finish(self, otherwise: LedgerError | None = None) -> None:
        """Hand out the results; `otherwise` stands for those that are still open."""
        if not self.done.done():
            self.done.set_result([result or otherwise or Broken("no result")
                                  for result in self.results])  # fmt: skip


class Attempt:
    """Decides and writes once; `sent` is what a lost connection leaves unknown."""

    def __init__(self, cache: Cache, recent: Recent, connection: Any, now: int) -> None:
        """Take the clock's time in microseconds for everything decided here."""
        self.cache = cache
        self.recent = recent
        self.connection = connection
        self.now = now
        self.sent: Sent = {}
        self._batches: dict[int, Batch] = {}
        self._seen: dict[UUID, tuple[Command, Answer]] = {}
        self._years: set[int] = set()

    async def run(self, items: Sequence[Item], *, locked: bool, before: Sent | None = None) -> None:
        """Give every open command its result.

        `before`, what earlier attempts sent, asks for a look into the log first.
        """
        cache, connection = self.cache, self.connection
        cache.begin()
        for item in items:
            item.pending.clear()
        await cache.know(connection, {code for item in items for code in codes_of(item.commands)})
        self._find(items)
        if locked:
            async with transaction(connection):
                codes = {code for item in items for code in codes_of(item.open_commands())}
                await cache.lock(connection, codes)
                if before is not None:
                    await self._settle(items, before)
                await self._decide(items)
                await self._write()
        else:
            codes = {code for item in items for code in codes_of(item.open_commands())}
            if cache.rules.position == 0:
                await cache.load_rules(connection)
            await cache.load(connection, codes)
            await self._decide(items)
            if len(self._batches) == 1 and not self._opens():
                await self._write()
            elif self._batches:
                async with transaction(connection):
                    await self._write()
        self._conclude(items)

    def _find(self, items: Sequence[Item]) -> None:
        """Answer repeats from memory and commands on budgets that do not exist."""
        heads = self.cache.heads
        opening = {c.budget for item in items for c in item.commands if c.name == "OpenBudget"}
        for item in items:
            for place, asked in enumerate(item.commands):
                if item.results[place] is not None:
                    continue
                missing = [code for code in asked.budgets() if code not in heads
                           and code not in opening and code != RULEBOOK]  # fmt: skip
                if missing:
                    item.results[place] = _unknown(missing[0])
                else:
                    item.results[place] = self.recent.answer(asked)

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
            self.connection, (c for item in open_items for c in item.open_commands())
        )
        for item in open_items:
            for place, asked in enumerate(item.commands):
                if item.results[place] is None:
                    item.pending[place] = await self._decide_new(asked)
            verdicts = [item.pending.get(place, result)
                        for place, result in enumerate(item.results)]  # fmt: skip
            if item.atomic and any(
                isinstance(v, LedgerError) or (isinstance(v, Answer) and v.status == "refused")
                for v in verdicts
            ):
                self._withhold(item)

    async def _decide_new(self, asked: Command) -> Result:
        """Decide one command, unless it repeats an earlier one of the batch."""
        earlier = self._seen.get(asked.command_id)
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
                if need.key is None:
                    raise
                await self.cache.load_missing(self.connection, states[need.code], need.key)
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
        self._seen[asked.command_id] = (asked, answer)
        return answer

    def _withhold(self, item: Item) -> None:
        """Write nothing of an atomic request (it is alone) that has a refused or failed part."""
        self._batches.clear()
        self._seen.clear()
        self.cache.rewind()
        for place, verdict in item.pending.items():
            if isinstance(verdict, Answer):
                status = "refused" if verdict.status == "refused" else "withheld"
                item.pending[place] = verdict.unstored(status)

    def _opens(self) -> bool:
        """Tell whether the batch opens a log."""
        return any(start == 0 for batch in self._batches.values()
                   for start, _, _ in batch.heads.values())  # fmt: skip

    async def _write(self) -> None:
        """Call `ledger.append` once a region, in region order."""
        states = self.cache.states
        for region in sorted(self._batches):
            batch = self._batches[region]
            years = {year_of(states[code]) for code in batch.heads}
            for year in sorted(years - self.cache.made_years):
                await self.connection.execute("SELECT ledger.ensure_year($1)", year)
            self._years |= years
            opened = [code for code, (start, _, _) in batch.heads.items() if start == 0]
            if opened:
                await self.connection.execute("SELECT ledger.claim_codes($1, $2)", region, opened)
            rules_at = self.cache.rules.position
            if RULEBOOK in batch.heads:
                rules_at = batch.heads[RULEBOOK][0]
            self.sent.update(batch.hashes())
            await self.connection.execute(sql("queries/append"), *batch.arguments(states, rules_at))

    def _conclude(self, items: Sequence[Item]) -> None:
        """Make verdicts results: they are written."""
        self.cache.made_years |= self._years
        for asked, answer in self._seen.values():
            self.recent.remember(asked, answer)
        for item in items:
            for place, verdict in item.pending.items():
                item.results[place] = verdict


def _unknown(code: str) -> NotFound:
    """Return the error for a budget that no log has."""
    return NotFound("unknown-budget", f"no budget {code} is open", budget=code)
