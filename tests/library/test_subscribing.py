"""Subscriptions and the library's ProjectionRunner while commands are being posted."""

import asyncio
import gc
import threading
import time
from collections import Counter
from collections.abc import Callable

import asyncpg
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.persistence import Notification, Tracking
from eventsourcing.popo import POPOTrackingRecorder
from eventsourcing.projection import ApplicationSubscription, Projection, ProjectionRunner
from eventsourcing.utils import get_topic

from ledger.errors import UnknownKind
from ledger.instruments.payments import PaymentExecuted
from ledger.instruments.receipts import ReceiptCredited
from ledger.library import LibraryApplication
from tests.instruments.asks import P, R, pay, receive
from tests.library.live import RAYON, Live, open_running, worked_example

DAY = "2025-03-01"


async def post_payments(live: Live, count: int, together: int = 20) -> None:
    """Post payments of 0.01 tenge from several tasks, so that batches of all sizes appear."""
    for start in range(0, count, together * 5):
        await asyncio.gather(*(
            live.post(DAY, *[pay(P, "0.01", "C1")] * together)
            for _ in range(min(5, (count - start) // together))
        ))  # fmt: skip


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait in a thread of its own."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.01)


class Collector(threading.Thread):
    """Takes what a subscription gives until it is stopped."""

    def __init__(self, subscription) -> None:
        super().__init__()
        self.subscription, self.found, self.error = subscription, [], None
        self.start()

    def run(self) -> None:
        try:
            for item in self.subscription:
                self.found.append(item)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    async def upto(self, last: int) -> list[Notification]:
        """Wait for a sequence, then stop."""
        await asyncio.to_thread(
            wait_until, lambda: self.error or (self.found and self.found[-1].id >= last)
        )
        await asyncio.to_thread(self.subscription.close)
        await asyncio.to_thread(self.join)
        assert self.error is None, repr(self.error)
        return self.found


async def test_two_thousand_events_posted_while_subscribed_come_once_and_in_order(
    live: Live, app
) -> None:
    await open_running(live)
    early = Collector(await asyncio.to_thread(app.recorder.subscribe))
    posting = asyncio.create_task(post_payments(live, 2000))
    await asyncio.sleep(0.2)
    late = Collector(await asyncio.to_thread(app.recorder.subscribe, 10))
    await posting
    last = await live.settled()
    assert last >= 2000
    found = await early.upto(last)
    assert [item.id for item in found] == list(range(1, last + 1))
    assert sum(item.topic == "budget.payment.executed" for item in found) == 2000
    assert [item.id for item in await late.upto(last)] == list(range(11, last + 1))


KILLS_MIN = 5
"""How often the fault fires at least."""


async def test_nothing_is_lost_when_the_readers_connections_are_killed(live: Live, app) -> None:
    await open_running(live)
    collector = Collector(await asyncio.to_thread(app.recorder.subscribe))
    posting = asyncio.create_task(post_payments(live, 2000))
    admin = await asyncpg.connect(live.dsn)
    killed = 0
    while killed < KILLS_MIN or not posting.done():
        if posting.done():  # a fast machine: post on until the fault has fired often enough
            await posting
            posting = asyncio.create_task(post_payments(live, 200))
        killed += await admin.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'qazyna library' AND datname = current_database()"
        )
        await asyncio.sleep(0.15)
    await admin.close()
    await posting
    last = await live.settled()
    found = await collector.upto(last)
    assert killed >= KILLS_MIN
    assert [item.id for item in found] == list(range(1, last + 1))


async def test_a_lost_notification_delays_by_a_poll_only(live: Live, app, monkeypatch) -> None:
    monkeypatch.setattr("ledger.library.CHANNEL", "nobody_speaks_here")
    await open_running(live)
    collector = Collector(await asyncio.to_thread(app.recorder.subscribe))
    await post_payments(live, 100)
    last = await live.settled()
    assert [item.id for item in await collector.upto(last)] == list(range(1, last + 1))


async def test_a_notification_wakes_before_the_poll(live: Live, app, monkeypatch) -> None:
    monkeypatch.setattr("ledger.library.POLL_SECONDS", 3600)
    await open_running(live)
    collector = Collector(await asyncio.to_thread(app.recorder.subscribe))
    for _ in range(5):
        await post_payments(live, 20)
        await asyncio.sleep(0.1)
    last = await live.settled()
    assert len(await collector.upto(last)) == last


async def test_topics_are_chosen_in_the_database_and_nothing_is_scanned_twice(
    live: Live, app
) -> None:
    await open_running(live)
    subscription = await asyncio.to_thread(
        app.recorder.subscribe, topics=["budget.receipt.credited"]
    )
    collector = Collector(subscription)
    await post_payments(live, 600)
    await live.post(DAY, receive(5))
    await post_payments(live, 200)
    last = await live.settled()
    await asyncio.to_thread(wait_until, lambda: subscription._last_notification_id == last)
    await asyncio.to_thread(subscription.close)
    assert [item.topic for item in collector.found] == ["budget.receipt.credited"] * 2
    assert collector.found[1].id < last


async def test_closing_the_application_ends_a_subscription_that_waits(live: Live) -> None:
    await worked_example(live)
    app = await asyncio.to_thread(LibraryApplication, live.dsn)
    collector = Collector(await asyncio.to_thread(app.recorder.subscribe))
    forgotten = await asyncio.to_thread(ApplicationSubscription, app)
    await asyncio.sleep(0.2)
    threads = threading.active_count()
    await asyncio.to_thread(app.close)
    collector.join(5)
    assert not collector.is_alive()
    assert collector.error is None
    assert threading.active_count() <= threads - 4  # collector, two pulls, the loop
    del forgotten
    gc.collect()


class SpendingView(POPOTrackingRecorder):
    """Payments and receipts by line, in memory, with the sequence they are true for."""

    def __init__(self) -> None:
        super().__init__()
        self.sums: Counter[tuple[str, tuple[str, ...]]] = Counter()

    def add(self, name: str, line: tuple[str, ...], amount: int, tracking: Tracking) -> None:
        with self._database_lock:
            self.insert_tracking(tracking)
            self.sums[name, line] += amount


class Spending(Projection[SpendingView]):
    topics = (get_topic(PaymentExecuted), get_topic(ReceiptCredited))

    @singledispatchmethod
    def process_event(self, domain_event, tracking) -> None:
        msg = f"{type(domain_event)} was not asked for"
        raise AssertionError(msg)

    @process_event.register
    def paid(self, domain_event: PaymentExecuted, tracking: Tracking) -> None:
        asked = domain_event.command
        self.view.add("paid", asked.line, asked.amount_minor, tracking)

    @process_event.register
    def received(self, domain_event: ReceiptCredited, tracking: Tracking) -> None:
        asked = domain_event.command
        self.view.add("received", asked.line, asked.amount_minor, tracking)


def runner_over(live: Live, projection: type = Spending) -> ProjectionRunner:
    return ProjectionRunner(
        application_class=LibraryApplication, projection_class=projection, view_class=SpendingView,
        env={"DATABASE_URL": live.dsn},
    )  # fmt: skip


async def test_the_librarys_projection_runner_follows_the_live_ledger(live: Live) -> None:
    await open_running(live)
    runner = await asyncio.to_thread(runner_over, live)
    runner.__enter__()
    try:
        for _ in range(5):
            await post_payments(live, 100)
            await live.post(DAY, receive(7))
        last = await live.settled()  # a receipt, which the projection handles
        await asyncio.to_thread(runner.wait, last, 30)
        cells = await live.cells(RAYON)
        sums = runner.view.sums
        assert sums["paid", P] == 500 == cells[("line", P)].total("executed")
        assert sums["received", R] == cells[("line", R)].total("executed") == 100_003_500
        assert runner.view.max_tracking_id("qazyna") == last
    finally:
        await asyncio.to_thread(runner.__exit__, None, None, None)


class Strict(Projection[SpendingView]):
    """Handles nothing: the first event is an error."""

    @singledispatchmethod
    def process_event(self, domain_event, tracking) -> None:
        raise UnknownKind(domain_event.kind)


async def test_an_error_of_a_projection_stops_its_runner_and_is_raised(live: Live) -> None:
    await worked_example(live)
    await live.settled()

    def run() -> str:
        try:
            with runner_over(live, Strict) as runner:
                runner.run_forever(timeout=10)
        except UnknownKind as error:
            return error.message
        return ""

    assert await asyncio.to_thread(run) == "rulebook.jurisdiction.adopted"
