"""What waits for the appender: halves of whole regions, order in a region, atomic ones alone."""

from collections import deque
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.store.waiting import BATCH, HALVED, Item, Waiting


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
