"""Timelines and cells against brute force; lines that open above or below others."""

from __future__ import annotations

from datetime import date
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import timelines
from ledger.cells import (
    BUDGET,
    SUM_MAX,
    BudgetState,
    Cell,
    subject,
)
from ledger.errors import Refuse
from ledger.events import Movement
from ledger.limits import LIMITS, Limit, shortfalls
from ledger.timelines import Missing, Timeline

CHANGES = st.lists(st.tuples(st.integers(1, 40), st.integers(-1000, 1000)), max_size=30)
FAST = settings(max_examples=150, derandomize=True)


@pytest.fixture(scope="module", autouse=True, params=[(16, 8), (2, 1)], ids=str)
def recent(request):
    """Days are cut off rarely, as they are, and so often that most have a past."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timelines, "RECENT_MAX", request.param[0])
        patch.setattr(timelines, "RECENT", request.param[1])
        yield


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
    assert found.whole()[0] == tuple(sorted({day for day, _ in changes}))


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
    pasts = {name: parts_of(line) for name, line in cell.measures.items()}
    assert Cell.read(BUDGET, 3, cell.encode()).on(pasts) == cell
    assert Cell.read(BUDGET, 3, cell.whole().encode()) == cell
    unloaded = cell.unloaded("KZ-2025-a")
    assert unloaded.encode() == cell.encode()
    for name, line in unloaded.measures.items():
        if pasts[name]:
            with pytest.raises(Missing) as missing:
                line.at(0)
            assert (missing.value.code, missing.value.key) == ("KZ-2025-a", ("past", BUDGET))
    assert unloaded.on(pasts) == cell


def test_parts_that_were_stored_meanwhile_are_not_taken_twice():
    written = Timeline((5, 6), (30, 40), timelines.Unloaded("KZ-2025-a", BUDGET))
    cell = Cell(key=BUDGET, measures={"cash": Timeline((9,), (50,), written)})
    stored = [Timeline((1, 2), (10, 20)), Timeline((5, 6), (30, 40))]
    for parts in (stored, stored[:1]):
        assert cell.on({"cash": parts}).timeline("cash").whole() == (
            (1, 2, 5, 6, 9), (10, 20, 30, 40, 50))  # fmt: skip


def parts_of(line):
    """The parts of a timeline's past as they are stored: oldest first, each without its own."""
    parts = []
    while line.past is not None:
        line = line.past
        parts.insert(0, Timeline(line.days, line.sums))
    return parts


@given(CHANGES, st.tuples(st.integers(1, 40), st.integers(-1000, 1000)))
@FAST
def test_what_is_asked_of_recent_days_needs_no_past(changes, later):
    line = build(changes)
    if line.past is None:
        return
    bare = Timeline(line.days, line.sums, timelines.Unloaded("KZ-2025-a", BUDGET))
    assert (bare.total, bare.last_day) == (line.total, line.last_day)
    for day in range(line.days[0], 42):
        assert (bare.at(day), bare.least(day), bare.after(day)) == (
            line.at(day), line.least(day), line.after(day))  # fmt: skip
    day, amount = later
    if day >= line.days[0]:
        changed = bare.add(day, amount)
        assert changed.on(line.past) == build([*changes, later])
    else:
        with pytest.raises(Missing):
            bare.add(day, amount)


@given(st.lists(st.integers(1, 9999), min_size=1))
@FAST
def test_days_that_come_in_order_leave_few_behind_them(amounts):
    line = build(enumerate(amounts, 1))
    assert len(line.days) <= timelines.RECENT_MAX + 1
    assert all(one.last_day < other.days[0] for one, other in pairwise([*parts_of(line), line]))


def test_days_to_come_are_never_cut_off_before_the_day_at_hand():
    ahead = [(200 + 30 * number, 1) for number in range(timelines.RECENT_MAX)]
    line = build([*ahead, *((day, 1) for day in range(1, 120))])
    assert 119 - timelines.RECENT_MAX <= line.days[0] <= 119 - timelines.RECENT
    assert line.days[-len(ahead) :] == tuple(day for day, _ in ahead)


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
    assert list(build(changes).whole()[1]) == list(accumulate(amount for _, amount in changes))
