"""What waits for the appender: halves of whole regions, order in a region, atomic ones alone."""

from collections import deque
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.store.waiting import BATCH, HALVED, Item, Long, Waiting


def item(region: int, number: int, size: int = 1, *, atomic: bool = False) -> Item:
    commands = [SimpleNamespace(region=region, number=number, place=n) for n in range(size)]
    return Item(commands, atomic, None, [None] * size)


def put_all(items: list[tuple[int, int, bool]]) -> tuple[Waiting, list[Item]]:
    waiting, made = Waiting(), []
    for number, (region, size, atomic) in enumerate(items):
        made.append(item(region, number, size, atomic=atomic))
        waiting.put(made[-1], region)
    return waiting, made


ITEMS = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 9), st.booleans()), max_size=120)


@given(ITEMS, st.data())
def test_everything_is_taken_once_and_a_regions_order_is_kept(items, data):
    waiting, made = put_all(items)
    taken: list[Item] = []
    while waiting.items:
        batch = waiting.take(whole=data.draw(st.booleans()))
        assert batch
        assert sum(len(one.commands) for one in batch) <= BATCH
        assert len(batch) == 1 or not any(one.atomic for one in batch)
        taken += batch
    assert waiting.commands == 0
    assert sorted(map(id, taken)) == sorted(map(id, made))
    for region in range(5):
        numbers = [one.commands[0].number for one in taken if one.commands[0].region == region]
        assert numbers == sorted(numbers)


def test_a_half_is_made_of_whole_regions():
    waiting, _ = put_all([(n % 4, 1, False) for n in range(4 * HALVED)])
    first = waiting.take(whole=False)
    assert {one.commands[0].region for one in first} == {0, 1}
    assert len(first) == 2 * HALVED
    rest = waiting.take(whole=True)
    assert {one.commands[0].region for one in rest} == {2, 3}
    assert not waiting.items


def test_one_region_alone_is_halved_too():
    waiting, _ = put_all([(7, 1, False)] * (2 * HALVED))
    assert [len(waiting.take(whole=whole)) for whole in (False, True)] == [HALVED, HALVED]


def test_little_is_taken_at_once():
    waiting, _ = put_all([(n % 3, 1, False) for n in range(HALVED - 1)])
    assert len(waiting.take(whole=False)) == HALVED - 1


def test_a_region_that_was_not_taken_comes_next():
    waiting, _ = put_all([(n % 4, 1, False) for n in range(4 * HALVED)])
    waiting.take(whole=False)
    for n in range(4 * HALVED):
        waiting.put(item(n % 2, 1000 + n), n % 2)
    regions = deque(one.commands[0].region for one in waiting.take(whole=False))
    assert regions[0] == 2


@pytest.mark.parametrize("place", [0, 1])
def test_an_atomic_request_larger_than_a_batch_stays_whole(place):
    items = [(1, 1, False)]
    items.insert(place, (1, 2 * BATCH, True))
    waiting, made = put_all(items)
    taken = [waiting.take(whole=True), waiting.take(whole=True)]
    assert taken == [[made[0]], [made[1]]]


def test_parts_of_a_request_keep_their_order_whatever_region_they_begin_with():
    waiting, long = Waiting(), Long()
    waiting.put(item(2, 0), 2)
    parts = [item(region, number, BATCH - 1) for number, region in enumerate((1, 2, 3, 1))]
    for part in parts:
        part.long = long
        waiting.put(part, part.commands[0].region)
    taken = []
    while waiting.items:
        taken += [one for one in waiting.take(whole=True) if one.long]
    assert list(map(id, taken)) == list(map(id, parts))


def test_what_could_not_be_decided_cuts_off_the_later_parts_only():
    long = Long()
    parts = [item(0, number) for number in range(4)]
    for number, part in enumerate(parts):
        part.long, part.part = long, number
    long.breaks(2)
    assert [part.is_cut_off for part in parts] == [False, False, True, True]
    long.breaks(3)
    assert long.broken == 2
    long.breaks(1)
    assert [part.is_cut_off for part in parts] == [False, True, True, True]
