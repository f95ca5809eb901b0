"""The appender: one batcher a process that decides commands and writes them in one call.

It takes everything that is waiting (no timer), decides in Python against remembered cells and
calls `ledger.append` once a region. Every outcome is one of: stored (an answer), refused (a stored
answer), not read (an error of that command alone), retried, or unknown until it is looked up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from ledger.errors import (
    Broken,
    LedgerError,
    OutcomeUnknown,
    Overloaded,
    RetryLater,
    Unavailable,
)
from ledger.events import RULEBOOK, Command
from ledger.rules import Rules
from ledger.store.answers import Recent
from ledger.store.attempt import Attempt, Sent
from ledger.store.cache import Cache
from ledger.store.pool import CONFLICT, Database, is_lost
from ledger.store.waiting import BATCH, Item, Long, Result, Waiting

log = logging.getLogger(__name__)

AHEAD = 32
"""Fewer commands than this wait for the batch that is being written instead of going ahead."""
ATTEMPTS = 12
"""Most conflicts with other writers before a batch is given back."""
GIVE_UP_SECONDS = 20.0
"""How long a lost database is waited for; after that each batch asks once."""
ANSWER_SECONDS = 30.0
"""A statement without an answer for so long counts as lost."""
ALONE_SECONDS = 5.0
"""After another writer was seen, heads are locked before deciding for this long."""


@dataclass(frozen=True)
class Flight:
    """A decided batch that is being written."""

    items: Sequence[Item]
    attempt: Attempt
    writing: asyncio.Task[None]

    async def is_written(self) -> bool:
        """Wait until it is over; tell whether it succeeded."""
        await asyncio.wait({self.writing})
        return self.writing.exception() is None


class Appender:
    """Decides and writes commands; safe beside other processes on the same budgets."""

    def __init__(
        self, database: Database, clock: Callable[[], int], *, queue_commands_max: int = 20_000
    ) -> None:
        """Take the clock as microseconds since 1970 UTC, asked once a batch."""
        self.database = database
        self.clock = clock
        self.queue_commands_max = queue_commands_max
        self.recent = Recent()
        self.cache = Cache()
        self.after_append: Callable[[Iterable[tuple[int, int]] | None], None] = lambda _moved: None
        self._queue = Waiting()
        self._waiting = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: Any = None
        self._reading: Any = None
        self._rival_until = 0.0
        self._lost_since: float | None = None
        self._closing = False

    @property
    def rules(self) -> Rules:
        """The rules that the next decision will use, as far as this process knows."""
        return self.cache.rules

    @property
    def waiting(self) -> int:
        """Commands that are taken and not answered yet."""
        return self._waiting

    @property
    def running(self) -> bool:
        """Tell whether commands are taken."""
        return self._task is not None and not self._task.done() and not self._closing

    async def start(self) -> None:
        """Load the rulebook and start taking commands."""
        self._connection = await self._connected(self._connection)
        await self.cache.load_rules(self._connection)
        self._task = asyncio.create_task(self._run(), name="appender")

    async def stop(self) -> None:
        """Answer what is waiting, then stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
            self._task = None
        self._disconnect()

    async def submit(
        self, commands: Sequence[Command], *, atomic: bool = False, long: Long | None = None
    ) -> list[Result]:
        """Decide commands in their order; return one result each.

        `long` names the request that they are a part of. Raises `Overloaded` when the queue is
        full: none of the commands was taken.
        """
        if self._closing or self._task is None:
            msg = "the ledger is stopping"
            raise Unavailable(msg)
        if self._waiting and self._waiting + len(commands) > self.queue_commands_max:
            if long is not None:
                long.breaks(long.parts)
            msg = f"{self._waiting} commands are waiting"
            raise Overloaded(msg, waiting=self._waiting)
        size = len(commands) if atomic else BATCH
        if len(commands) > size:
            long = long or Long()
        parts = [self._put(commands[start : start + size], atomic=atomic, long=long)
                 for start in range(0, len(commands), size or 1)]  # fmt: skip
        if len(parts) == 1:
            return await parts[0]
        return [result for part in await asyncio.gather(*parts) for result in part]

    def _put(
        self, commands: Sequence[Command], *, atomic: bool, long: Long | None
    ) -> asyncio.Future[list[Result]]:
        """Put commands that are decided together into the queue."""
        done: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()
        head = self.cache.heads.get(commands[0].budget) if commands else None
        item = Item(commands, atomic, done, [None] * len(commands), long)
        if long is not None:
            item.part, long.parts = long.parts, long.parts + 1
        self._queue.put(item, head.region if head else 0)
        self._waiting += len(commands)
        self._wake.set()
        return done

    async def _run(self) -> None:
        """Decide one batch while the one before is being written, until stopped and empty."""
        flight: Flight | None = None
        while flight or self._queue.items or not self._closing:
            if self._queue.commands < (AHEAD if flight else 1):
                self._wake.clear()
                if flight is not None and flight.writing.done():
                    await self._land(flight)
                    flight = None
                else:
                    await self._wake.wait()
                continue
            items = self._queue.take(whole=flight is not None)
            attempt = await self._decide_ahead(items, flight)
            following = None
            if flight is None or await flight.is_written():
                following = self._launch(items, attempt) if attempt else None
            if flight is not None:
                await self._land(flight)
            if following is None:
                self.cache.rewind()
                await self._handle(items, {})
                self._waiting -= sum(len(item.commands) for item in items)
            flight = following
            await asyncio.sleep(0)  # those who got their answers may ask again

    async def _decide_ahead(self, items: Sequence[Item], flight: Flight | None) -> Attempt | None:
        """Decide a batch without a lock; None for one that must go the careful way."""
        now = asyncio.get_running_loop().time()
        if now < self._rival_until or any(
            item.atomic or item.is_cut_off or any(map(_is_special, item.commands)) for item in items
        ):
            return None
        try:
            self._connection = await self._connected(self._connection)
            self._reading = await self._connected(self._reading)
            attempt = Attempt(self.cache, self.recent, self._connection, self.clock(),
                              flight.attempt if flight else None)  # fmt: skip
            await attempt.prepare(items, self._reading)
        except Exception as error:  # noqa: BLE001 - the careful way meets it again
            log.debug("a batch goes the careful way: %r", error)
            return None
        return attempt

    def _launch(self, items: Sequence[Item], attempt: Attempt) -> Flight:
        """Begin to write a decided batch."""
        flight = Flight(items, attempt, asyncio.create_task(attempt.write(), name="write"))
        flight.writing.add_done_callback(lambda _: self._wake.set())
        return flight

    async def _land(self, flight: Flight) -> None:
        """Answer a written batch; what could not be written is decided again, carefully."""
        if await flight.is_written():
            flight.attempt.conclude(flight.items)
            self._lost_since = None
            self._succeed(flight.items, flight.attempt.moved())
        else:
            self.cache.rewind()
            error, sent = flight.writing.exception(), {}
            if isinstance(error, CONFLICT):
                self._rival_until = asyncio.get_running_loop().time() + ALONE_SECONDS
            elif isinstance(error, Exception) and is_lost(error):
                sent = flight.attempt.sent
                self._disconnect()
            await self._handle(flight.items, sent, look=True)
        self._waiting -= sum(len(item.commands) for item in flight.items)

    async def _handle(self, items: Sequence[Item], sent: Sent, *, look: bool = False) -> None:
        """Process a batch; where one command makes it fail, halve it until that one is alone."""
        items = _cut(items, sent)
        if not items:
            return
        try:
            await self._process(items, sent, look=look)
        except (RetryLater, OutcomeUnknown) as error:
            for item in items:
                item.finish(error)
        except Exception as error:
            self.cache.forget()
            parts = list(_halves(items))
            if parts:
                log.warning("a batch failed and is halved: %r", error)
                for part in parts:
                    await self._handle(part, sent)
                _join(items, parts)
                return
            log.exception("the appender failed")
            failed = error if isinstance(error, LedgerError) else None
            for item in items:
                item.finish(failed or Broken(f"the appender failed: {error!r}"))
        else:
            self._succeed(items)

    def _succeed(
        self, items: Sequence[Item], moved: Iterable[tuple[int, int]] | None = None
    ) -> None:
        """Hand out the results of a batch that is written; say which logs it moved, if known."""
        for item in items:
            item.finish()
        self.cache.settle()
        self.after_append(moved)

    async def _process(self, items: Sequence[Item], sent: Sent, *, look: bool) -> None:
        """Decide and write a batch, again and again until every command has its result.

        `sent` gathers what a lost connection may have stored. An atomic request looks into the
        log first: its repeat would write nothing that the log could refuse.
        """
        loop = asyncio.get_running_loop()
        look = look or bool(sent) or items[0].atomic
        conflicts = losses = 0
        while True:
            attempt = None
            locked = look or conflicts > 0 or loop.time() < self._rival_until
            try:
                self._connection = await self._connected(self._connection)
                attempt = Attempt(self.cache, self.recent, self._connection, self.clock())
                await attempt.run(items, locked=locked, before=sent if look else None)
            except (*CONFLICT, asyncpg.UniqueViolationError) as error:
                self.cache.rewind()
                conflicts += 1
                if isinstance(error, CONFLICT):
                    self._rival_until = loop.time() + ALONE_SECONDS
                else:
                    look = True
                if conflicts > ATTEMPTS:
                    if isinstance(error, asyncpg.UniqueViolationError):
                        raise
                    msg = "the budgets are changed by others all the time"
                    # What a lost connection sent may still arrive: only without it is it certain.
                    raise (OutcomeUnknown if sent else Unavailable)(msg) from None
                await asyncio.sleep(0.002 * (conflicts - 1))
            except Exception as error:
                if not is_lost(error):
                    raise
                sent.update(attempt.sent if attempt else {})
                look = look or bool(sent)
                self._lose(error, unknown=bool(sent))
                losses += 1
                await asyncio.sleep(min(0.05 * losses, 0.5))
            else:
                self._lost_since = None
                return

    def _lose(self, error: Exception, *, unknown: bool) -> None:
        """Drop the connection; raise when the database is away for too long."""
        self.cache.rewind()
        self._disconnect()
        now = asyncio.get_running_loop().time()
        self._lost_since = self._lost_since or now
        if now - self._lost_since < GIVE_UP_SECONDS and not self._closing:
            log.warning("the appender lost the database and tries again: %r", error)
            return
        if unknown:
            raise OutcomeUnknown(f"the database was lost while writing: {error!r}") from error
        raise Unavailable(f"the database does not answer: {error!r}") from error

    async def _connected(self, connection: Any) -> Any:
        """Return a connection of the appender's own, a new one where it is lost."""
        if connection is None or connection.is_closed():
            return await self.database.listen("writer", answer_seconds=ANSWER_SECONDS)
        return connection

    def _disconnect(self) -> None:
        """Drop the connections without a word: the server may not listen any more."""
        for connection in (self._connection, self._reading):
            if connection is not None:
                connection.terminate()
        self._connection = self._reading = None


def _is_special(asked: Command) -> bool:
    """Tell whether a command makes more than events: a log, a rule, an annex."""
    return (asked.budget == RULEBOOK or asked.name == "OpenBudget" or asked.annex is not None
            or asked.erases)  # fmt: skip


def _cut(items: Sequence[Item], sent: Sent) -> list[Item]:
    """Answer the parts of requests of which an earlier part was not decided; return the others."""
    text = "an earlier command of the request could not be decided"
    for item in items:
        if item.is_cut_off:
            item.finish(OutcomeUnknown(text) if sent else Unavailable(text))
    return [item for item in items if not item.is_cut_off]


def _halves(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield a failed batch as two smaller ones, nothing where it cannot be divided."""
    if len(items) > 1:
        half = len(items) // 2
        yield list(items[:half])
        yield list(items[half:])
    elif len(items[0].commands) > 1 and not items[0].atomic:
        whole, half = items[0], len(items[0].commands) // 2
        loop, long = asyncio.get_running_loop(), items[0].long or Long()
        for part in (slice(0, half), slice(half, None)):
            done: asyncio.Future[list[Result]] = loop.create_future()
            yield [Item(whole.commands[part], whole.atomic, done, whole.results[part], long,
                        whole.part)]  # fmt: skip


def _join(items: Sequence[Item], parts: Sequence[Sequence[Item]]) -> None:
    """Give a divided request the results of its parts."""
    if len(items) == 1:
        items[0].results = [result for part in parts for result in part[0].done.result()]
        items[0].finish()
