"""The appender: one batcher a process that decides commands and writes them in one call.

It takes everything that is waiting (no timer), decides in Python against cached cells and calls
`ledger.append` once a region. Every outcome is one of: stored (an answer), refused (a stored
answer), not read (an error of that command alone), retried, or unknown until it is looked up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from ledger.cells import BudgetState, Missing
from ledger.decision import Decision, decide
from ledger.errors import (
    Broken,
    LedgerError,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    Unavailable,
)
from ledger.events import RULEBOOK, Command, log_id
from ledger.rules import Rules
from ledger.store.answers import Answer, Recent, answer_of, compare, stored_answers
from ledger.store.pool import CONFLICT, LOST, Database
from ledger.store.read import (
    Head,
    find_heads,
    fold_rule,
    load_key,
    load_rules,
    load_states,
    load_states_locked,
    lock_heads,
    new_state,
    rulebook_head,
)
from ledger.store.rows import Batch, stage, year_of

log = logging.getLogger(__name__)

BATCH = 512
"""Most commands decided and written together (a larger atomic request stays whole)."""
CACHED_CELLS = 150_000
"""Most cells kept in memory, about 1 kB each."""
ATTEMPTS = 12
GIVE_UP_SECONDS = 20.0
ALONE_SECONDS = 5.0
"""After another writer was seen, heads are locked before deciding for this long."""

Result = Answer | LedgerError


@dataclass(frozen=True)
class _Pending:
    """The answer of a command that is decided but not written yet."""

    asked: Command
    answer: Answer


@dataclass
class Item:
    """A request waiting in the queue: commands decided together, one result each."""

    commands: Sequence[Command]
    atomic: bool
    done: asyncio.Future[list[Result]]
    results: list[Result | _Pending | None] = field(default_factory=list)


class Appender:
    """Decides and writes commands; safe beside other processes on the same budgets."""

    def __init__(
        self, database: Database, clock: Callable[[], int], *, queue_commands_max: int = 20_000
    ) -> None:
        """Take the clock as microseconds since 1970 UTC, asked once a batch."""
        self.database = database
        self.clock = clock
        self.queue_commands_max = queue_commands_max
        self.rules = Rules()
        self.recent = Recent()
        self.after_append: Callable[[], None] = lambda: None
        self._queue: deque[Item] = deque()
        self._waiting = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._states: dict[str, BudgetState] = {}
        self._heads: dict[str, Head] = {}
        self._rival_until = 0.0
        self._made_years: set[int] = set()
        self._touched: set[BudgetState] = set()
        self._closing = False

    async def start(self) -> None:
        """Load the rulebook and start taking commands."""
        async with self.database.connect("writer") as connection:
            self.rules = await load_rules(connection)
        self._task = asyncio.create_task(self._run(), name="appender")

    async def stop(self) -> None:
        """Answer what is waiting, then stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def submit(self, commands: Sequence[Command], *, atomic: bool = False) -> list[Result]:
        """Decide commands in their order; return one result each.

        Raises `Overloaded` when the queue is full: nothing of the request was taken.
        """
        if self._closing or self._task is None:
            msg = "the ledger is stopping"
            raise Unavailable(msg)
        if self._waiting and self._waiting + len(commands) > self.queue_commands_max:
            msg = f"{self._waiting} commands are waiting"
            raise Overloaded(msg, waiting=self._waiting)
        if not commands:
            return []
        item = Item(commands, atomic, asyncio.get_running_loop().create_future())
        self._queue.append(item)
        self._waiting += len(commands)
        self._wake.set()
        return await asyncio.shield(item.done)

    async def _run(self) -> None:
        """Take batches until stopped and empty."""
        while True:
            if not self._queue:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            items = self._take()
            try:
                await self._process(items)
            except LedgerError as error:
                self._fail(items, error)
            except Exception as error:
                self._forget()
                if len(items) > 1:
                    log.warning("a batch failed, its requests are tried alone: %r", error)
                    self._queue.extendleft(Item(item.commands, True, item.done)  # alone
                                           for item in reversed(items))
                    continue
                log.exception("the appender failed")
                self._fail(items, Broken(f"the appender failed: {error!r}"))
            self._waiting -= sum(len(item.commands) for item in items)

    def _take(self) -> list[Item]:
        """Take waiting items up to the batch size; an atomic one goes alone."""
        items = [self._queue.popleft()]
        count = len(items[0].commands)
        while (
            self._queue and not items[0].atomic and not self._queue[0].atomic
            and count + len(self._queue[0].commands) <= BATCH
        ):  # fmt: skip
            items.append(self._queue.popleft())
            count += len(items[-1].commands)
        return items

    @staticmethod
    def _fail(items: list[Item], error: LedgerError) -> None:
        for item in items:
            if not item.done.done():
                results = item.results or [None] * len(item.commands)
                item.done.set_result(
                    [r if isinstance(r, (Answer, LedgerError)) else error for r in results]
                )

    async def _process(self, items: list[Item]) -> None:
        """Decide and write a batch, again and again until every command has its result."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + GIVE_UP_SECONDS
        for item in items:
            item.results = [None] * len(item.commands)
        sent: dict[Any, bytes] = {}
        for attempt in range(1_000_000):
            locked = attempt > 0 or loop.time() < self._rival_until
            try:
                await self._attempt(items, sent, locked=locked)
                break
            except (*CONFLICT, asyncpg.UniqueViolationError) as error:
                self._forget()
                if isinstance(error, CONFLICT):
                    self._rival_until = loop.time() + ALONE_SECONDS
                if attempt >= ATTEMPTS:
                    msg = "the budgets are changed by others all the time"
                    raise Unavailable(msg) from None
                await asyncio.sleep(0.002 * attempt)
            except LOST as error:
                self._forget()
                if loop.time() > deadline or self._closing:
                    raise self._lost(sent, error) from error
                await asyncio.sleep(min(0.05 * (attempt + 1), 0.5))
        for item in items:
            if not item.done.done():
                item.done.set_result([r for r in item.results if isinstance(r, (Answer, LedgerError))])
        self._trim()
        self.after_append()

    @staticmethod
    def _lost(sent: dict[Any, bytes], error: BaseException) -> LedgerError:
        """Say whether the lost database may have stored the batch."""
        if sent:
            return OutcomeUnknown(f"the database was lost while writing: {error}")
        return Unavailable(f"the database does not answer: {error}")

    async def _attempt(self, items: list[Item], sent: dict[Any, bytes], *, locked: bool) -> None:
        """Decide all open commands of the batch and write them once."""
        async with self.database.connect("writer") as connection:
            if sent or locked:
                await self._settle(connection, items, sent)
            await self._find(connection, items)
            open_items = [item for item in items if None in item.results]
            if not open_items:
                return
            if locked:
                async with connection.transaction():
                    await self._lock(connection, open_items)
                    batches = await self._decide(connection, open_items)
                    await self._write(connection, batches, sent)
            else:
                if not self._states:
                    self.rules = await load_rules(connection, self.rules)
                await self._load(connection, open_items)
                batches = await self._decide(connection, open_items)
                if len(batches) > 1:
                    async with connection.transaction():
                        await self._write(connection, batches, sent)
                else:
                    await self._write(connection, batches, sent)
        for item in open_items:
            for place, result in enumerate(item.results):
                if isinstance(result, _Pending):
                    item.results[place] = result.answer
                    self.recent.remember(result.asked, result.answer)

    async def _settle(self, connection: Any, items: list[Item], sent: dict[Any, bytes]) -> None:
        """Look up what of the batch is stored: sent before, or by somebody else under its id."""
        for item in items:
            item.results = [None if isinstance(r, _Pending) else r for r in item.results]
            stored = await stored_answers(connection, item.commands, await self._regions(
                connection, item.commands), sent)
            for place, found in enumerate(stored):
                if item.results[place] is None and found is not None:
                    item.results[place] = found

    async def _regions(self, connection: Any, commands: Sequence[Command]) -> dict[str, int]:
        """Return the regions of the budgets that exist."""
        await self._know(connection, {c.budget for c in commands})
        return {code: head.region for code, head in self._heads.items()}

    async def _know(self, connection: Any, codes: set[str]) -> None:
        """Remember the region and year of budgets that exist."""
        unknown = [code for code in codes if code not in self._heads]
        if unknown:
            self._heads.update(await find_heads(connection, unknown))

    async def _find(self, connection: Any, items: list[Item]) -> None:
        """Answer repeats from memory and commands on budgets that do not exist."""
        codes = {code for item in items for c in item.commands for code in c.budgets()}
        await self._know(connection, codes)
        opening = {c.budget for item in items for c in item.commands if c.name == "OpenBudget"}
        for item in items:
            for place, asked in enumerate(item.commands):
                if item.results[place] is not None:
                    continue
                missing = [code for code in asked.budgets() if code not in self._heads
                           and code not in opening and code != RULEBOOK]  # fmt: skip
                if missing:
                    item.results[place] = NotFound(
                        "unknown-budget", f"no budget {missing[0]} is open", budget=missing[0])
                else:
                    item.results[place] = self.recent.answer(asked)

    def _codes(self, items: list[Item]) -> set[str]:
        """Return the codes of all budgets that open commands of the batch concern."""
        return {code for item in items for asked, result in
                zip(item.commands, item.results, strict=True)
                if result is None for code in asked.budgets()}  # fmt: skip

    async def _load(self, connection: Any, items: list[Item]) -> None:
        """Load the cells of budgets that are not cached."""
        wanted = [self._heads[code] for code in self._codes(items)
                  if code in self._heads and code not in self._states]  # fmt: skip
        if wanted:
            self._states.update(await load_states(connection, wanted))

    async def _lock(self, connection: Any, items: list[Item]) -> None:
        """Lock the heads first, then take rules and cells as they are committed."""
        wanted = [self._heads[code] for code in self._codes(items) if code in self._heads]
        heads = await lock_heads(connection, [(head.region, head.log) for head in wanted])
        self.rules = await load_rules(connection, self.rules)
        stale = [head for head in heads if head.code not in self._states
                 or self._states[head.code].position != head.position
                 or self._states[head.code].head != head.hash]  # fmt: skip
        self._states.update(await load_states_locked(connection, stale))

    async def _decide(self, connection: Any, items: list[Item]) -> dict[int, Batch]:
        """Decide every open command in order against the cached cells."""
        batches: dict[int, Batch] = {}
        seen: dict[UUID, _Pending] = {}
        now = self.clock()
        for item in items:
            for place, asked in enumerate(item.commands):
                if item.results[place] is None:
                    item.results[place] = await self._decide_new(
                        connection, asked, now, seen, batches
                    )
            if item.atomic and any(
                isinstance(r, LedgerError)
                or (isinstance(r, _Pending) and r.answer.status == "refused")
                for r in item.results
            ):
                self._withhold(item, batches)
        return batches

    async def _decide_new(
        self, connection: Any, asked: Command, now: int, seen: dict[UUID, _Pending],
        batches: dict[int, Batch],
    ) -> Result | _Pending:  # fmt: skip
        """Decide one command of a batch, unless it repeats an earlier one of the batch."""
        earlier = seen.get(asked.command_id)
        if earlier is not None:
            return compare(earlier.asked, earlier.answer, asked)
        decision = await self._decide_one(connection, asked, now)
        if decision is None:
            return NotFound("unknown-budget", f"no budget {asked.budget} is open",
                            budget=asked.budget)  # fmt: skip
        answer = answer_of(decision)
        if decision.refusal and asked.budget not in self._heads and asked.budget != RULEBOOK:
            if self._states[asked.budget].position == 0:
                del self._states[asked.budget]
                return answer.unstored("refused")
        stage(decision, self._states, batches)
        self._fold_rules(decision)
        seen[asked.command_id] = _Pending(asked, answer)
        return seen[asked.command_id]

    def _withhold(self, item: Item, batches: dict[int, Batch]) -> None:
        """Write nothing of an atomic request that has a refused or unreadable command."""
        batches.clear()
        self._forget()
        for place, result in enumerate(item.results):
            if isinstance(result, _Pending):
                answer = result.answer
                status = "refused" if answer.status == "refused" else "withheld"
                item.results[place] = answer.unstored(status)

    async def _decide_one(self, connection: Any, asked: Command, now: int) -> Decision | None:
        """Decide one command, loading contracts and payments as it asks for them."""
        states = {}
        for code in asked.budgets():
            if code not in self._states:
                region = getattr(asked, "region", None)
                if code == RULEBOOK:
                    self._states[code] = new_state(rulebook_head())
                elif region is not None and code == asked.budget:
                    self._states[code] = BudgetState(code, region, log_id(code))
                else:
                    return None
            states[code] = self._states[code]
            self._touched.add(states[code])
        latest = max(state.recorded_at for state in states.values())
        recorded_at = now if now >= latest else latest + 1
        while True:
            try:
                return decide(states, asked, self.rules, recorded_at)
            except Missing as need:
                await load_key(connection, states[need.code], need.key)

    def _fold_rules(self, decision: Decision) -> None:
        """Take a change of the rulebook into account at once."""
        if decision.command.budget == RULEBOOK:
            for fact in decision.events:
                self.rules = fold_rule(self.rules, fact)

    async def _write(
        self, connection: Any, batches: dict[int, Batch], sent: dict[Any, bytes]
    ) -> None:
        """Call `ledger.append` once a region, in region order."""
        for region in sorted(batches):
            batch = batches[region]
            if not batch.events:
                continue
            for year in {year_of(self._states[code]) for code in batch.heads}:
                await self._ensure_year(connection, year)
            rules_at = self.rules.position
            if RULEBOOK in batch.heads:
                rules_at = batch.heads[RULEBOOK][0]
            arguments = batch.arguments(self._states, rules_at)
            for row in batch.events:
                sent[row[0], row[1]] = row[-2]
            places = ", ".join(f"${place}" for place in range(1, len(arguments) + 1))
            await connection.execute(f"SELECT ledger.append({places})", *arguments)

    async def _ensure_year(self, connection: Any, year: int) -> None:
        """Make the partition of a year once a process."""
        if year not in self._made_years:
            await connection.execute("SELECT ledger.ensure_year($1)", year)
            self._made_years.add(year)

    def _forget(self) -> None:
        """Drop everything that was cached: something is not as remembered."""
        self._states.clear()
        self._heads.clear()
        self._made_years.clear()
        self.rules = Rules()

    def _trim(self) -> None:
        """Keep memory bounded: forget payments at once, contracts and budgets when many."""
        for state in self._touched:
            state.cells = {k: c for k, c in state.cells.items() if k[0] != "payment"}
        self._touched.clear()
        if sum(len(state.cells) for state in self._states.values()) > CACHED_CELLS:
            self._states.clear()
