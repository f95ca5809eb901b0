"""Adjustment: within 15 % (rural 20 %) of the donor programme, cumulative, total kept (I14)."""

from __future__ import annotations

import pytest

from tests.instruments.asks import (
    APPROVED,
    NOWHERE,
    PLANNED,
    P,
    Q,
    R,
    adjust,
    amend,
    approve,
    open_budget,
    plan_of,
)
from tests.instruments.harness import OK, given, refused
from tests.instruments.test_opening import with_budget

DONOR = refused("reallocation-above-share", amended_minor=100_000, limit_bps=1500)

# The donor P is amended to 1000: 150 may be given away in the year.
SHARES = [
    ("at the limit", [(-150, OK)]),
    ("above the limit", [(-151, DONOR)]),
    ("cumulative in the year", [(-100, OK), (-50, OK), (-1, DONOR)]),
    ("what comes back gives no new room", [(-150, OK), (100, OK), (-1, DONOR)]),
    ("a refused one takes no room", [(-200, DONOR), (-150, OK)]),
]


@pytest.mark.parametrize("steps", [row[1] for row in SHARES], ids=[row[0] for row in SHARES])
def test_the_share_that_a_programme_may_give(steps):
    book = given(*APPROVED)
    for number, (change, then) in enumerate(steps, start=1):
        book.when(f"2025-03-{number:02}", adjust({P: change, Q: -change}), then)


def test_the_share_counts_the_whole_programme():
    """Two subprogrammes of one programme share its 15 %."""
    one, two = (*P, "011"), (*P, "015")
    book = given(APPROVED[0], ("2024-12-24", approve({R: 2000, one: 400, two: 600, Q: 1000})))
    book.when("2025-03-01", adjust({one: -100, Q: 100}))
    book.when("2025-03-02", adjust({two: -51, Q: 51}), refused(
        "reallocation-above-share", taken_minor=15_100, amended_minor=100_000))  # fmt: skip
    book.when("2025-03-02", adjust({two: -50, Q: 50}))


def test_a_move_inside_a_programme_takes_nothing_from_it():
    one, two = (*P, "011"), (*P, "015")
    book = given(APPROVED[0], ("2024-12-24", approve({R: 2000, one: 400, two: 600, Q: 1000})))
    book.when("2025-03-01", adjust({one: -300, two: 300}))
    book.when("2025-03-02", adjust({one: -100, two: 50, Q: 50}))
    book.when("2025-03-03", adjust({two: -101, Q: 101}), refused(
        "reallocation-above-share", taken_minor=15_100, amended_minor=100_000))  # fmt: skip
    book.when("2025-03-03", adjust({two: -100, Q: 100}))


def test_the_share_grows_with_an_amendment():
    book = given(*APPROVED, ("2025-03-01", adjust({P: -150, Q: 150})))
    book.when("2025-04-01", amend({R: 3000, P: 2000}))
    book.when("2025-04-02", adjust({P: -151, Q: 151}), refused("reallocation-above-share"))
    book.when("2025-04-02", adjust({P: -150, Q: 150}))


@pytest.mark.parametrize(("change", "then"), [
    (200, OK), (201, refused("reallocation-above-share", limit_bps=2000)),
])  # fmt: skip
def test_a_rural_programme_may_give_a_fifth(change, then):
    code = "KZ-2025-rural-7"
    book = given(("2024-12-20", open_budget(4, budget=code)),
                 ("2024-12-24", with_budget(APPROVED[1][1], code)))  # fmt: skip
    book.when("2025-03-01", with_budget(adjust({P: -change, Q: change}), code, by="akim"), then)


ASKED = [
    (adjust({}), refused("empty-document")),
    (adjust({P: -1}, {"line": list(P)}, lines=[{"line": list(P), "change": "-1"},
                                               {"line": list(P), "change": "1"}]),
     refused("duplicate-line")),
    (adjust({P: -10, Q: 9}), refused("reallocation-not-zero", total_minor=-100)),
    (adjust({P: -10}), refused("reallocation-not-zero")),
    (adjust({P: -10, NOWHERE: 10}), refused("unknown-line")),
    (adjust({R: 0, P: 0}), refused("wrong-section")),
    (adjust({P: 10, (*P, "011"): -10}), refused("nested-line")),
    (adjust({(*P, "011"): 10, Q: -10}), refused("nested-line")),
    (adjust({P: -1001, Q: 1001}, basis="distribution"), refused(
        "limit-exceeded",
        ("figure-below-zero", f"line {' / '.join(P)}", "2025-03-06", 1001, 1000))),
    (adjust({R: -2001, P: -1000, Q: -1001}, basis="transfer"), refused(
        "limit-exceeded", ("figure-below-zero", "line revenue / 1", "2025-03-06", 2001, 2000),
        ("figure-below-zero", f"line {' / '.join(Q)}", "2025-03-06", 1001, 1000))),
    (adjust({P: 400}, basis="transfer"), refused("balance-identity", change_minor=-40_000)),
    (adjust({R: -400, P: -400}, basis="transfer"), OK),
    (adjust({P: -400, Q: 400}, basis="distribution"), OK),
    (adjust({P: -400}, basis="other"), refused("adjustment-changes-total", total_minor=-40_000)),
    (adjust({P: 400}, basis="reserve"), refused("adjustment-changes-total")),
    (adjust({R: 400, P: 400}, basis="transfer"), OK),
    (adjust({}, lines=[{"line": list(P), "change": "1", "contra": True}], basis="transfer"),
     refused("contra-changed")),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "then"), ASKED)
def test_an_adjustment_of_a_budget_without_plans(ask, then):
    given(*APPROVED).when("2025-03-06", ask, then)


def test_an_adjustment_below_the_plans_is_refused_on_its_first_day():
    where = f"line {' / '.join(P)}"
    ask = adjust({P: -100, Q: 100}, plan_of(P, payments={10: -100}))
    given(*PLANNED).when("2025-03-06", ask, refused(
        "limit-exceeded", ("appropriation", where, "2025-03-06", 100, 0)))  # fmt: skip


def test_the_legislated_figure_stays():
    book = given(*APPROVED, ("2025-03-06", adjust({P: -100, Q: 100})))
    figures = [book.figure(P, m, "2025-03-06") for m in ("approved", "amended", "adjusted")]
    assert figures == [1000, 1000, 900]
    assert book.figure(P, "adjusted", "2025-03-05") == 1000
