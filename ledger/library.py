"""The `eventsourcing` binding: the unmodified library reads the ledger, and only reads it.

    with LibraryApplication("postgresql://…") as ledger:
        totals = ledger.repository.get("KZ-2025-rayon-1", projector_func=fold_budget)
        totals.total("executed", line=("expenditure",))         # minor units
        ledger.notification_log["1,500"].items                  # by sequence, gapless
        with ledger.recorder.subscribe(gt=0) as events: ...     # and what is posted meanwhile

`ProjectionRunner(application_class=LibraryApplication, env={"DATABASE_URL": …}, …)` works too.
What is read is the view `ledger.stored_events`: committed events that have their sequence, some
50 ms after they were posted. The calls block and may be made from any thread; one thread of the
recorder runs asyncpg. Stored names are a closed registry: an unknown one raises `UnknownKind`
and imports nothing, where the library alone would import whatever a row names (design §3).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import orjson
from eventsourcing.application import Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    ApplicationRecorder,
    InfrastructureFactory,
    ListenNotifySubscription,
    Mapper,
    MapperDeserialisationError,
    Notification,
    NotSupportedError,
    OperationalError,
    ProcessRecorder,
    ShutDown,
    StoredEvent,
    TrackingRecorder,
    Transcoder,
)
from eventsourcing.utils import Environment, EnvType, register_topic

import ledger.instruments  # noqa: F401 - fills the registry of events
from ledger.errors import Corrupt, LedgerError, Unavailable, UnknownKind
from ledger.events import EVENTS, Event, encode, typed
from ledger.store.pool import LOST, ROLES
from ledger.store.sql import sql
from ledger.totals import BudgetTotals, Place, fold_budget

__all__ = ["BudgetTotals", "LedgerRecorder", "LibraryApplication", "Place", "fold_budget"]
T = TypeVar("T")
log = logging.getLogger(__name__)

CHANNEL = "qazyna_sequence"
POLL_SECONDS = 1.0
"""How long a lost notification can delay a subscription."""
RETRY_SECONDS = (0.1, 0.4, 1.5, 4.0)
"""Waits between the attempts of a read whose connection broke."""
SEQUENCE_MAX = 2**63 - 1
HOW_TO_POST = (
    "the library only reads the ledger; post commands instead: "
    "`ledger.service.Ledger.submit` or POST /v1/commands"
)


class ReadOnly(LedgerError, NotSupportedError):
    """Something was to be written past the ledger's one write path."""

    code = "read-only"


class ReaderUnavailable(Unavailable, OperationalError):
    """The database does not answer the library's reads, or the recorder is closed."""


def known(topic: str) -> type[Event]:
    """Return the class of a stored name, known to the library from now on; never imports.

    Raises `UnknownKind`.
    """
    cls = EVENTS.get(topic)
    if cls is None:
        msg = f"the stored event kind {topic!r} is not known to this release"
        raise UnknownKind(msg, kind=topic)
    register_topic(topic, cls)
    return cls


class EventTranscoder(Transcoder):
    """Stored bytes to JSON state and back; knows no types, so that it can read old versions."""

    def encode(self, obj: Any) -> bytes:  # noqa: ARG002 - the library's signature
        """Refuse: only a whole event has a body (`EventMapper.to_stored_event`)."""
        raise ReadOnly(HOW_TO_POST)

    def decode(self, data: bytes) -> dict[str, Any]:
        """Read a body. Raises `Corrupt`, or `UnknownKind` for a version newer than the class."""
        try:
            state = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise Corrupt(f"a stored body is no JSON: {error}") from error
        if not isinstance(state, dict):
            raise Corrupt("a stored body is no JSON object")
        kind, version = state.get("kind"), state.get("class_version", 1)
        newest = known(str(kind)).class_version
        if not isinstance(version, int) or not 1 <= version <= newest:
            msg = f"version {version!r} of {kind} is not known to this release"
            raise UnknownKind(msg, kind=str(kind), version=str(version))
        return state


class EventMapper(Mapper[str]):
    """The library's mapper behind the closed registry; upcasting is the library's own."""

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """Return an event as the ledger stores it, byte for byte."""
        if not isinstance(domain_event, Event):
            raise ReadOnly(f"{type(domain_event).__qualname__} is no event of the ledger")
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=domain_event.kind, state=encode(domain_event),
        )  # fmt: skip

    def to_domain_event(self, stored_event: StoredEvent) -> Event:
        """Return the typed event of the newest version, as `ledger.events.decode` does.

        Raises `UnknownKind` before anything is looked up or imported, `Corrupt` for bad bytes.
        """
        cls: Any = known(stored_event.topic)
        try:
            state = vars(super().to_domain_event(stored_event))
        except MapperDeserialisationError as error:
            cause = error.__cause__
            raise cause if isinstance(cause, LedgerError) else error from None
        if state.pop("kind") != stored_event.topic:
            raise Corrupt(
                "the kind beside a body is not the kind in it",
                budget=str(stored_event.originator_id),
                position=stored_event.originator_version,
            )
        return typed(cls, state, str(stored_event.originator_id), stored_event.originator_version)


class LedgerSubscription(ListenNotifySubscription["LedgerRecorder"]):
    """Sequenced events, one after another and without end; woken by NOTIFY, else every second."""

    def __init__(
        self, recorder: LedgerRecorder, gt: int | None = None, topics: Sequence[str] = ()
    ) -> None:
        """Start after the sequence `gt`; `topics` are stored names, none of them means all."""
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        recorder.listen(self)

    def wake(self) -> None:
        """Say that there may be new events. From any thread."""
        self._has_been_notified.set()

    def stop(self) -> None:
        """End the iteration."""
        super().stop()
        self._recorder.unlisten(self)

    def close(self) -> None:
        """End the iteration and wait for the pulling thread."""
        self.stop()
        if self._pull_thread is not threading.current_thread():
            self._pull_thread.join()

    def _pull(self) -> None:
        """Take over everything new; what the topics leave out is never scanned twice."""
        while not self._has_been_stopped:
            self._has_been_notified.clear()
            after, upto = self._last_notification_id or 0, self._recorder.max_notification_id()
            found = self._recorder.select_notifications(
                after, self._select_limit, upto, self._topics, inclusive_of_start=False
            ) if upto is not None and upto > after else ()  # fmt: skip
            if found:
                try:
                    self._notifications_queue.put(found)
                except ShutDown:
                    return
            if len(found) < self._select_limit:
                self._last_notification_id = max(after, upto or 0)
                return
            self._last_notification_id = found[-1].id


class LedgerRecorder(ApplicationRecorder):
    """Reads `ledger.stored_events` as the role `qazyna_reader`, by asyncpg in a thread."""

    def __init__(self, dsn: str, *, size: int = 4) -> None:
        """Connect, with at most `size` connections. Raises `ReaderUnavailable`."""
        self._dsn, self._size = dsn, size
        self._subscriptions: set[LedgerSubscription] = set()
        self._lock = threading.RLock()  # the collector may stop a subscription inside of it
        self._closed = False
        self._listener: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="qazyna-library", daemon=True
        )
        self._thread.start()
        try:
            self._pool: Any = self._run(self._connect())
        except BaseException:
            self.close()
            raise

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],  # noqa: ARG002 - the library's signature
        **kwargs: Any,  # noqa: ARG002 - the same
    ) -> Sequence[int] | None:
        """Refuse, and say how to post."""
        raise ReadOnly(HOW_TO_POST)

    def select_events(
        self, originator_id: UUID | str, *, gt: int | None = None, lte: int | None = None,
        desc: bool = False, limit: int | None = None,
    ) -> Sequence[StoredEvent]:  # fmt: skip
        """Return the sequenced events of one budget by position."""
        name = "queries/stored_events_newest" if desc else "queries/stored_events"
        upto = SEQUENCE_MAX if lte is None else lte
        rows = self._run(self._fetch(name, str(originator_id), gt or 0, upto, limit))
        return [StoredEvent(**row) for row in rows]

    def select_notifications(
        self, start: int | None, limit: int, stop: int | None = None,
        topics: Sequence[str] = (), *, inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:  # fmt: skip
        """Return events by sequence, from `start` (or after it) up to `stop`."""
        after = 0 if start is None else start - inclusive_of_start
        upto = SEQUENCE_MAX if stop is None else stop
        rows = self._run(
            self._fetch("queries/stored_notifications", after, upto, list(topics) or None, limit)
        )
        return [Notification(**row) for row in rows]

    def max_notification_id(self) -> int | None:
        """Return the last sequence, None for an empty ledger."""
        last: int | None = self._run(self._fetch("queries/last_notification"))[0][0]
        return last

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> LedgerSubscription:
        """Return an endless iterator of the events after the sequence `gt`."""
        return LedgerSubscription(self, gt, topics)

    def listen(self, subscription: LedgerSubscription) -> None:
        """Wake a subscription from now on, and now."""
        self._subscriptions.add(subscription)
        self._run(self._start_listening())
        subscription.wake()

    def unlisten(self, subscription: LedgerSubscription) -> None:
        """Wake a subscription no more."""
        self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End the subscriptions and disconnect; safe to call again and from `__del__`."""
        if self._closed or sys.is_finalizing():
            return
        if threading.current_thread() is self._thread:  # the collector may come by anywhere
            threading.Thread(target=self.close, name="qazyna-library-close").start()
            return
        for subscription in tuple(self._subscriptions):
            subscription.close()
        with self._lock:
            first, self._closed = not self._closed, True
        if not first:
            return
        asyncio.run_coroutine_threadsafe(self._disconnect(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the recorder's thread and wait for it."""
        with self._lock:
            if self._closed:
                work.close()
                raise ReaderUnavailable("the recorder is closed")
            asked = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return asked.result()
        except CancelledError:
            raise ReaderUnavailable("the recorder was closed meanwhile") from None

    async def _connect(self) -> Any:
        try:
            return await asyncpg.create_pool(
                self._dsn,
                min_size=1,
                max_size=self._size,
                timeout=10,
                server_settings=self._settings(),
            )
        except (*LOST, asyncpg.PostgresError) as error:
            raise ReaderUnavailable(f"the database does not answer: {error}") from error

    @staticmethod
    def _settings() -> dict[str, str]:
        return {
            "role": ROLES["reader"],
            "default_transaction_read_only": "on",
            "jit": "off",
            "application_name": "qazyna library",
            "timezone": "UTC",
        }

    async def _fetch(self, name: str, *arguments: Any) -> list[Any]:
        """Run a named query; a read is repeated when its connection broke."""
        for wait in (*RETRY_SECONDS, None):
            try:
                async with self._pool.acquire(timeout=10) as connection:
                    rows: list[Any] = await connection.fetch(sql(name), *arguments)
                    return rows
            except LOST as error:
                if wait is None:
                    msg = f"the database does not answer: {error}"
                    raise ReaderUnavailable(msg) from error
                await asyncio.sleep(wait)
        raise AssertionError

    async def _start_listening(self) -> None:
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen(), name="library listener")

    async def _listen(self) -> None:
        """Hold one LISTEN connection, opened again when lost; wake everybody every second."""
        while True:
            connection = None
            try:
                connection = await asyncpg.connect(
                    self._dsn, timeout=10, server_settings=self._settings()
                )
                await connection.add_listener(CHANNEL, self._wake_all)
                while not connection.is_closed():
                    self._wake_all()
                    await asyncio.sleep(POLL_SECONDS)
            except LOST as error:
                log.warning("the listener lost the database: %s", error)
            except Exception:
                log.exception("the listener failed and starts again")
            finally:
                if connection is not None:
                    connection.terminate()
            self._wake_all()
            await asyncio.sleep(RETRY_SECONDS[0])

    def _wake_all(self, *_: object) -> None:
        for subscription in tuple(self._subscriptions):
            subscription.wake()

    async def _disconnect(self) -> None:
        """Cancel everything under way and close the connections."""
        pool = getattr(self, "_pool", None)
        if pool is not None:
            with contextlib.suppress(*LOST):
                await asyncio.wait_for(pool.close(), 5)
            pool.terminate()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class LedgerFactory(InfrastructureFactory[TrackingRecorder]):
    """Gives the library's applications the ledger to read: PERSISTENCE_MODULE=ledger.library."""

    DATABASE_URL = "DATABASE_URL"

    def __init__(self, env: Environment | EnvType | None) -> None:
        """Take the environment; DATABASE_URL says where the ledger is."""
        super().__init__(env)
        self._recorder: LedgerRecorder | None = None

    def transcoder(self) -> Transcoder:
        """Return ours, whatever the environment names."""
        return EventTranscoder()

    def mapper(self, transcoder: Any = None, mapper_class: Any = None) -> Any:  # noqa: ARG002
        """Return ours, whatever the environment names: another would import what rows say."""
        return EventMapper(EventTranscoder())

    def aggregate_recorder(self, purpose: str = "events") -> ApplicationRecorder:
        """Return the reader; the ledger keeps no snapshots."""
        if purpose != "events":
            raise ReadOnly(f"the ledger keeps no {purpose} of the library; {HOW_TO_POST}")
        return self.application_recorder()

    def application_recorder(self) -> LedgerRecorder:
        """Return the one reader of this factory."""
        if self._recorder is None:
            dsn = self.env.get(self.DATABASE_URL)
            if not dsn:
                raise ReaderUnavailable(f"{self.DATABASE_URL} does not say where the ledger is")
            self._recorder = LedgerRecorder(dsn)
        return self._recorder

    def tracking_recorder(
        self,
        tracking_recorder_class: Any = None,  # noqa: ARG002 - the library's signature
    ) -> TrackingRecorder:
        """Refuse: what a projection writes lies outside the ledger."""
        msg = "a view of your own needs a PERSISTENCE_MODULE of its own, as eventsourcing.popo"
        raise ReadOnly(msg)

    def process_recorder(self) -> ProcessRecorder:
        """Refuse: an application that writes events cannot live in the ledger."""
        raise ReadOnly(HOW_TO_POST)

    def close(self) -> None:
        """Close the reader."""
        if self._recorder is not None:
            self._recorder.close()


class LibraryApplication(Application[str]):
    """The ledger as an application of the library: repository, notification log, recorder."""

    name = "qazyna"
    log_section_size = 500

    def __init__(self, env: EnvType | str | None = None) -> None:
        """Take the database's address, or an environment with DATABASE_URL in it."""
        super().__init__({"QAZYNA_DATABASE_URL": env} if isinstance(env, str) else env)

    def construct_factory(self, env: Environment) -> InfrastructureFactory[TrackingRecorder]:
        """Read the ledger, whatever PERSISTENCE_MODULE a projection's view uses."""
        return LedgerFactory(env)


for _topic in EVENTS:
    known(_topic)
