"""Stored events are for ever: golden bytes never change, unknown kinds are refused, old versions
are read through upcasts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from ledger.errors import UnknownKind
from ledger.events import EVENTS, Event, Movement, canonical, decode, encode, event, typed_state
from ledger.terms import Day, Positive
from ledger.terms import Path as LinePath
from tests.golden.golden import BUDGET, COMMON, FOLDER, POSITION, body_of, path_of, stored

FILES = sorted(FOLDER.glob("*"))
KINDS = sorted(EVENTS)


def test_each_kind_has_its_file_and_each_file_its_kind():
    expected = {
        FOLDER / f"{cls.kind}.v{version}.json"
        for cls in EVENTS.values()
        for version in range(1, cls.class_version + 1)
    }
    assert set(FILES) == expected, "python -m tests.golden.golden writes what is missing"


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_still_gives_the_golden_bytes(kind):
    assert body_of(EVENTS[kind]) == stored(path_of(EVENTS[kind])), "needs a new version"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_body_decodes_and_encodes_to_itself(path: Path):
    body = stored(path)
    fact = decode(body, BUDGET, POSITION)
    assert path.stem == f"{fact.kind}.v{orjson.loads(body).get('class_version', 1)}"
    if fact.class_version == orjson.loads(body).get("class_version", 1):
        assert encode(fact) == body
    assert (fact.originator_id, fact.originator_version) == (BUDGET, POSITION)
    assert canonical(orjson.loads(body)) == body
    assert b"null" not in body
    assert not any(isinstance(value, float) for value in leaves(orjson.loads(body)))


def leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from leaves(part)
    else:
        yield value


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_shows_its_movement(kind):
    moved = decode(stored(path_of(EVENTS[kind])), BUDGET, POSITION).movement()
    assert moved.adopted_on
    assert all(isinstance(amount, int) for amount in moved.amounts.values())


UNKNOWN = [
    {"kind": "budget.imaginary"}, {"kind": "ledger.instruments.payments:PaymentExecuted"},
    {"kind": "os.system"}, {"kind": "antigravity"}, {"kind": ""}, {"kind": 7}, {"kind": None},
    {"kind": ["budget.opened"]}, {}, {"kind": "Budget.Opened"},
    {"kind": "budget.opened", "class_version": 2}, {"kind": "budget.opened", "class_version": 0},
    {"kind": "budget.opened", "class_version": -1}, {"kind": "budget.opened", "class_version": "1"},
]  # fmt: skip


@pytest.mark.parametrize("named", UNKNOWN, ids=str)
def test_an_unknown_kind_or_version_is_a_typed_error_and_imports_nothing(named):
    before = set(sys.modules)
    with pytest.raises(UnknownKind):
        decode(canonical({**COMMON, **named}), BUDGET, POSITION)
    assert set(sys.modules) == before


@pytest.fixture
def registry() -> Iterator[dict[str, type[Event]]]:
    """Lend the registry and take out afterwards what a test put in."""
    before = dict(EVENTS)
    yield EVENTS
    EVENTS.clear()
    EVENTS.update(before)


def declare_second_version() -> type[Event]:
    """Declare a kind whose first version kept an amount in whole tenge and no day."""

    @event("test.fee.charged", version=2, example={})
    @dataclass(frozen=True, kw_only=True)
    class FeeCharged(Event):
        line: LinePath
        amount_minor: Positive
        charged_on: Day

        @staticmethod
        def upcast_v1_v2(state):
            state["amount_minor"] = state.pop("amount") * 100
            state["charged_on"] = "2025-01-01"

        def movement(self) -> Movement:
            return Movement(effective_from=self.charged_on, adopted_on=self.charged_on)

    return FeeCharged


def test_an_old_version_is_read_through_its_upcast(registry):
    cls = declare_second_version()
    old = canonical({**COMMON, "kind": "test.fee.charged", "line": ["expenditure"], "amount": 43})
    fact = decode(old, BUDGET, POSITION)
    assert isinstance(fact, cls)
    assert fact.amount_minor == 4300
    assert fact.charged_on.isoformat() == "2025-01-01"
    new = encode(fact)
    assert orjson.loads(new)["class_version"] == 2
    assert decode(new, BUDGET, POSITION) == fact
    assert typed_state(old)[1] == typed_state(new)[1]


def test_a_version_from_the_future_is_unknown(registry):
    declare_second_version()
    with pytest.raises(UnknownKind, match="version 3"):
        decode(canonical({**COMMON, "kind": "test.fee.charged", "class_version": 3}), BUDGET, 1)


def test_a_new_version_without_its_upcast_cannot_be_declared(registry):
    with pytest.raises(TypeError, match="upcast_v1_v2"):
        event("test.fee.charged", version=2, example={})(type("Bare", (Event,), {}))


def test_a_kind_is_declared_once(registry):
    other = type("OtherOpened", (Event,), {})
    with pytest.raises(TypeError, match="twice"):
        event("budget.opened", example={})(other)


def test_nothing_leaked_into_the_registry():
    assert not [kind for kind in EVENTS if kind.startswith("test.")]
