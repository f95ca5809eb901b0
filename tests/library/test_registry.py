"""Stored names are a closed registry; bodies are read by the library's mapper and upcasting."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import asyncpg
import orjson
import pytest
from eventsourcing.persistence import (
    JSONTranscoder,
    Mapper,
    MapperDeserialisationError,
    StoredEvent,
)
from eventsourcing.projection import ApplicationSubscription
from eventsourcing.utils import clear_topic_cache, get_topic, resolve_topic

from ledger.errors import Corrupt, UnknownKind
from ledger.events import EVENTS, RULEBOOK, Event, Movement, decode, event, log_id
from ledger.instruments.payments import PaymentExecuted
from ledger.library import EventMapper, EventTranscoder, fold_budget, known
from ledger.terms import Day, Positive
from ledger.terms import Path as Line
from tests.library.live import RAYON, Live, random_commands

HEAD = {"command_id": str(UUID(int=1)), "recorded_at": 1, "rules_at": 1}
MAPPER = EventMapper(EventTranscoder())


def stored(topic: str, **state) -> StoredEvent:
    body = orjson.dumps({"kind": topic, **HEAD, **state}, option=orjson.OPT_SORT_KEYS)
    return StoredEvent(RAYON, 1, topic, body)


@pytest.fixture
def evil(tmp_path: Path, monkeypatch) -> Iterator[tuple[str, Path]]:
    """A module that leaves a mark when it is imported."""
    mark = tmp_path / "imported"
    (tmp_path / "evil_of_library.py").write_text(
        f"import pathlib\npathlib.Path({str(mark)!r}).touch()\nclass Boom: originator_id: str\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "evil_of_library", mark
    sys.modules.pop("evil_of_library", None)


def test_each_kind_is_a_topic_of_the_library_under_its_stored_name() -> None:
    for kind, cls in EVENTS.items():
        assert resolve_topic(kind) is cls
        assert get_topic(cls) == kind
        assert ":" not in kind
        assert not kind.startswith("ledger.instruments")
    assert get_topic(PaymentExecuted) == "budget.payment.executed"


def test_a_cleared_topic_cache_of_the_library_changes_nothing(monkeypatch) -> None:
    monkeypatch.setattr("eventsourcing.utils._topic_cache", {})
    clear_topic_cache()
    fact = MAPPER.to_domain_event(
        stored("budget.line.adjusted", **EVENTS["budget.line.adjusted"].example)
    )
    assert fact.kind == "budget.line.adjusted"


@pytest.mark.parametrize("topic", [
    "{}:Boom", "{}", "os:system", "antigravity", "", ":", "ledger", "budget.payment.executed.{}",
    "budget.payment.executed:__init__", "ledger.instruments.payments:PaymentExecuted", "\x00",
    "a" * 9999,
])  # fmt: skip
def test_an_unknown_topic_is_a_typed_error_and_imports_nothing(evil, topic) -> None:
    name, mark = evil
    before = set(sys.modules)
    for where in (
        stored(topic.format(name)),
        replace(stored(topic.format(name)), topic="budget.payment.executed"),
    ):
        with pytest.raises(UnknownKind):
            MAPPER.to_domain_event(where)
    assert not mark.exists()
    assert set(sys.modules) == before


def test_the_librarys_own_mapper_would_have_imported_it(evil) -> None:
    name, mark = evil
    Mapper(JSONTranscoder()).to_domain_event(StoredEvent(RAYON, 1, f"{name}:Boom", b"{}"))
    assert mark.exists()


async def test_an_unknown_kind_in_the_log_stops_every_reader_and_imports_nothing(
    live: Live, app, evil
) -> None:
    name, mark = evil
    await random_commands(live, 3, 5)
    await live.settled()  # a step of its own: what is recorded at 0 would stand first in theirs
    budgets = {"KZ-2025-evil-1": f"{name}:Boom", "KZ-2025-evil-2": "os:system"}
    admin = await asyncpg.connect(live.dsn)
    for code, kind in budgets.items():
        await admin.execute(f"ALTER TYPE ledger.kind ADD VALUE '{kind}'")  # as a later release does
        async with admin.transaction():
            await admin.execute(
                "INSERT INTO ledger.heads VALUES (1, $1, $2, 2025, 1, '', 0)", log_id(code), code
            )
            await admin.execute(
                "INSERT INTO ledger.events (region, log, position, year, command_id, n, kind,"
                " recorded_at, effective_from, adopted_on, hash, body) VALUES (1, $1, 1, 2025,"
                " gen_random_uuid(), 0, $2, 0, now(), now(), '', $3)",
                log_id(code), kind, stored(kind).state,
            )  # fmt: skip
    await admin.close()
    last = await live.settled()
    before = set(sys.modules)

    def check() -> None:
        for code, kind in budgets.items():
            assert app.recorder.select_events(code)[0].topic == kind
            with pytest.raises(UnknownKind) as error:
                app.repository.get(code, projector_func=fold_budget)
            assert error.value.details["kind"] == kind
        with ApplicationSubscription(app, gt=last - 2) as events, pytest.raises(UnknownKind):
            next(events)
        section = app.notification_log[f"{last - 1},{last}"]
        assert {item.topic for item in section.items} == set(budgets.values())

    await asyncio.to_thread(check)
    assert not mark.exists()
    assert {name for name in set(sys.modules) - before if "evil" in name} == set()


async def test_the_librarys_mapper_reads_what_our_decoder_reads_and_writes_it_back(
    live: Live, app
) -> None:
    await random_commands(live, 4, 60)
    await live.settled()

    def read() -> list[tuple[StoredEvent, Event]]:
        found = [*app.recorder.select_events(RULEBOOK), *app.recorder.select_events(RAYON)]
        return [(item, app.mapper.to_domain_event(item)) for item in found]

    pairs = await asyncio.to_thread(read)
    assert {"ledger.command.refused", "budget.payment.executed"} <= {s.topic for s, _ in pairs}
    for item, fact in pairs:
        ours = decode(item.state, item.originator_id, item.originator_version)
        assert (type(fact), fact) == (type(ours), ours)
        assert app.mapper.to_stored_event(fact) == item


def test_bad_bytes_are_a_typed_error() -> None:
    good = stored("budget.line.adjusted", **EVENTS["budget.line.adjusted"].example)
    assert MAPPER.to_domain_event(good).change_minor == -10_000
    other = replace(good, topic="budget.line.amended")
    for bad in (
        replace(good, state=b"\xff"),
        replace(good, state=b"[]"),
        other,
        stored("budget.line.adjusted", change_minor="1"),
        stored("budget.line.adjusted", surplus=1),
    ):
        with pytest.raises(Corrupt):
            MAPPER.to_domain_event(bad)
    assert issubclass(MapperDeserialisationError, ValueError)


@pytest.mark.parametrize("version", [0, 2, 99, "1", None, 1.0])
def test_a_version_that_this_release_does_not_know_is_refused(version) -> None:
    example = EVENTS["budget.line.adjusted"].example
    with pytest.raises(UnknownKind):
        MAPPER.to_domain_event(stored("budget.line.adjusted", class_version=version, **example))


@pytest.fixture
def counted(monkeypatch) -> type[Event]:
    """A kind at its third version, for this test only."""
    monkeypatch.setattr("ledger.events.EVENTS", EVENTS)
    monkeypatch.setattr("eventsourcing.utils._topic_cache", {})

    @event("test.line.counted", version=3, example={})
    @dataclass(frozen=True, kw_only=True)
    class LineCounted(Event):
        line: Line
        amount_minor: Positive
        counted_on: Day

        @staticmethod
        def upcast_v1_v2(state) -> None:
            state["line"] = [state.pop("section")]

        @staticmethod
        def upcast_v2_v3(state) -> None:
            state["amount_minor"] = state.pop("tenge") * 100

        def movement(self) -> Movement:
            return Movement(
                effective_from=self.counted_on,
                adopted_on=self.counted_on,
                line=self.line,
                amounts={"executed": self.amount_minor},
            )

    yield LineCounted
    del EVENTS["test.line.counted"]


@pytest.mark.parametrize("state", [
    {"section": "revenue", "tenge": 5},
    {"class_version": 2, "line": ["revenue"], "tenge": 5},
    {"class_version": 3, "line": ["revenue"], "amount_minor": 500},
])  # fmt: skip
def test_old_versions_are_upcast_by_the_library_and_typed(counted, state) -> None:
    item = stored("test.line.counted", counted_on="2025-02-03", **state)
    fact = MAPPER.to_domain_event(item)
    assert fact == decode(item.state, RAYON, 1)
    assert (fact.line, fact.amount_minor, fact.counted_on.year) == (("revenue",), 500, 2025)
    assert fact.command_id == UUID(int=1)
    assert fold_budget(None, [fact]).total("executed", line=("revenue",)) == 500
    assert b'"class_version":3' in MAPPER.to_stored_event(fact).state
    assert known("test.line.counted") is counted
