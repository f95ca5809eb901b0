"""Timelines and cells against brute force; lines that open above or below others."""

from __future__ import annotations

from datetime import date
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.cells import (
    BUDGET,
    SUM_MAX,
    BudgetState,
    Cell,
    Missing,
    Timeline,
    subject,
)
from ledger.errors import Refuse
from ledger.events import Movement
from ledger.limits import LIMITS, Limit, shortfalls

CHANGES = st.lists(st.tuples(st.integers(1, 40), st.integers(-1000, 1000)), max_size=30)
FAST = settings(max_examples=150, derandomize=True)


def build(changes):
    found = Timeline()
    for day, amount in changes:
        found = found.add(day, amount)
    return found


def brute(changes, day):
    return sum(amount for when, amount in changes if when <= day)


@given(CHANGES)
@FAST
def test_a_timeline_is_the_sum_of_its_changes_on_every_day(changes):
    found = build(changes)
    assert [found.at(day) for day in range(42)] == [brute(changes, day) for day in range(42)]
    assert found.total == brute(changes, 99)
    assert found.last_day == max((day for day, _ in changes), default=0)
    assert found.days == tuple(sorted({day for day, _ in changes}))


@given(CHANGES, st.integers(0, 41))
@FAST
def test_the_least_sum_from_a_day_on_is_the_least_of_all_later_days(changes, since):
    assert build(changes).least(since) == min(brute(changes, day) for day in range(since, 42))


@given(CHANGES, st.randoms(use_true_random=False))
@FAST
def test_a_timeline_does_not_depend_on_the_order_of_posting(changes, chance):
    shuffled = list(changes)
    chance.shuffle(shuffled)
    assert build(shuffled) == build(changes)
    assert hash(build(shuffled)) == hash(build(changes))


@given(CHANGES, CHANGES)
@FAST
def test_the_sum_of_two_timelines(one, two):
    assert build(one).plus(build(two)) == build(one + two)


@given(CHANGES, CHANGES)
@FAST
def test_a_cell_survives_being_stored(cap, use):
    cell = Cell(key=BUDGET, number=3, facts={"stage": "opened", "note": "ә"},
                measures={"cash": build(cap), "executed": build(use)})  # fmt: skip
    assert Cell.read(BUDGET, 3, cell.encode()) == cell


@given(CHANGES, CHANGES, st.integers(1, 40), st.booleans())
@FAST
def test_shortfalls_are_the_days_on_which_the_use_exceeds_the_cap(cap, use, since, contra):
    limit = Limit("test", ("line",), "adjusted", "executed")
    facts = {"contra": True} if contra else {}
    cell = Cell(key=("line", ("a",)), facts=facts,
                measures={"adjusted": build(cap), "executed": build(use)})  # fmt: skip
    sign = -1 if contra else 1
    rooms = {day: sign * (brute(cap, day) - brute(use, day)) for day in range(since, 41)}
    found = dict(shortfalls(cell, limit, since))
    assert all(rooms[day] == left < 0 for day, left in found.items())
    assert min(found, default=None) == min((d for d, left in rooms.items() if left < 0),
                                           default=None)  # fmt: skip
    assert min(found.values(), default=0) == min(0, *rooms.values())


def movement(line, day=1, **amounts):
    moment = date(2025, 1, day)
    return Movement(effective_from=moment, adopted_on=moment, line=line, amounts=amounts)


def posted(*movements):
    overlay = BudgetState("KZ-2025-x", 0, 1).overlay()
    for moved in movements:
        overlay.apply(moved)
    return overlay


def test_a_line_opened_above_others_starts_with_what_lies_below():
    deep, deeper, other = ("a", "1", "x"), ("a", "1", "x", "y"), ("a", "2", "x")
    overlay = posted(
        movement(deep, 2, executed=5), movement(deeper, 3, executed=7),
        movement(other, 4, executed=11), movement(("a", "1"), 5, executed=1),
        movement(("a",), 6, executed=100),
    )  # fmt: skip
    totals = {cell.key[1]: cell.total("executed") for cell in overlay.lines()}
    assert totals == {deep: 12, deeper: 7, other: 11, ("a", "1"): 13, ("a",): 124}
    numbers = [cell.number for cell in overlay.lines()]
    assert sorted(numbers) == [1, 2, 3, 4, 5]


def test_the_base_of_an_overlay_stays_as_it_was():
    state = BudgetState("KZ-2025-x", 0, 1)
    overlay = state.overlay()
    overlay.apply(movement(("a",), executed=5))
    assert not list(state.lines())
    state.take(overlay)
    again = state.overlay()
    again.apply(movement(("a",), executed=1))
    assert state.cells["line", ("a",)].total("executed") == 5
    assert [cell.total("executed") for cell in again.lines()] == [6]


@pytest.mark.parametrize("kind", ["contract", "payment"])
def test_a_contract_that_is_not_loaded_is_asked_for(kind):
    state = BudgetState("KZ-2025-x", 0, 1)
    with pytest.raises(Missing) as missing:
        state.get((kind, "C1"))
    assert (missing.value.code, missing.value.key) == ("KZ-2025-x", (kind, "C1"))
    state.cells[kind, "C1"] = None
    assert state.get((kind, "C1")) is None


def test_facts_are_merged_and_none_removes_one():
    cell = Cell(key=BUDGET, facts={"a": 1, "b": 2}).know({"b": None, "c": 3})
    assert cell.facts == {"a": 1, "c": 3}


@pytest.mark.parametrize("sign", [1, -1])
def test_no_day_of_a_timeline_leaves_the_width_of_the_database(sign):
    """Also where the total is small again: the day between is too large."""
    most = sign * SUM_MAX
    movements = [movement(("a",), 1, executed=most), movement(("a",), 3, executed=-most)]
    overlay = posted(*movements)
    assert overlay.get(("line", ("a",))).total("executed") == 0
    with pytest.raises(Refuse):
        overlay.apply(movement(("a",), 2, executed=sign))


def test_a_cell_is_named_for_people():
    assert subject(("line", ("a", "1"))) == "line a / 1"
    assert subject(("contract", "C1")) == "contract C1"
    assert subject(BUDGET) == "budget"


def test_limits_stand_in_the_laws_order_of_refusal():
    names = list(dict.fromkeys(limit.name for limit in LIMITS))
    assert [n for n in names if n in ("cash", "payments-plan", "unused-registration")] == [
        "cash", "payments-plan", "unused-registration"]  # fmt: skip


def test_running_sums_agree_with_accumulate():
    changes = [(day, day * 3 - 20) for day in range(1, 30)]
    assert list(build(changes).sums) == list(accumulate(amount for _, amount in changes))
