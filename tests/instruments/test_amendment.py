"""Amendment: retroactive, absorbing adjustments, in the order of the acts, still balanced."""

from __future__ import annotations

import pytest

from tests.instruments.asks import (
    APPROVED,
    NOWHERE,
    PLANNED,
    RUNNING,
    P,
    Q,
    R,
    adjust,
    amend,
    amounts,
    approve,
    change_plan,
    pay,
    plan_of,
    receive,
)
from tests.instruments.harness import OK, given, refused

ADJUSTED = (*APPROVED, ("2025-03-06", adjust({P: -100, Q: 100})))
MORE = amend({R: 2300, P: 1200, Q: 1100})

# What P shows on a day after an adjustment of -100 on 6 March and then an amendment to 1200.
EFFECTIVE = [
    # amendment effective from, day, amended, adjusted
    ("2025-01-01", "2025-01-01", 1200, 1200),
    ("2025-01-01", "2025-03-05", 1200, 1200),
    ("2025-01-01", "2025-03-06", 1200, 1200),
    ("2025-03-06", "2025-03-05", 1000, 1000),
    ("2025-03-06", "2025-03-06", 1200, 1200),
    ("2025-04-10", "2025-03-05", 1000, 1000),
    ("2025-04-10", "2025-03-06", 1000, 900),
    ("2025-04-10", "2025-04-09", 1000, 900),
    ("2025-04-10", "2025-04-10", 1200, 1200),
    ("2025-09-01", "2025-12-31", 1200, 1200),
]


@pytest.mark.parametrize(("since", "day", "amended", "adjusted"), EFFECTIVE)
def test_an_amendment_absorbs_adjustments_from_its_effective_day(since, day, amended, adjusted):
    book = given(*ADJUSTED, ("2025-04-10", amend({R: 2300, P: 1200, Q: 1100},
                                                 effective_from=since)))  # fmt: skip
    assert [book.figure(P, m, day) for m in ("amended", "adjusted")] == [amended, adjusted]
    assert book.figure(P, "approved", day) == 1000


def test_an_adjustment_that_takes_effect_later_than_the_amendment_is_absorbed_too():
    book = given(*APPROVED, ("2025-03-06", adjust({P: -100, Q: 100}, effective_from="2025-06-01")),
                 ("2025-04-10", MORE))  # fmt: skip
    assert [book.figure(P, "adjusted", day) for day in ("2025-05-31", "2025-06-01")] == [1200, 1200]


def test_adjustments_after_an_amendment_start_from_it():
    book = given(*ADJUSTED, ("2025-04-10", MORE), ("2025-05-01", adjust({P: -80, Q: 80})))
    assert book.figure(P, "adjusted", "2025-05-01") == 1120
    assert book.figure(P, "amended", "2025-05-01") == 1200


ORDER = [
    # adopted on, answer: the last act is of 10 April
    ("2025-04-09", refused("dates-out-of-order", last_adopted_on="2025-04-10")),
    ("2025-04-10", OK),
    ("2025-05-01", OK),
]


@pytest.mark.parametrize(("adopted", "then"), ORDER)
def test_acts_are_recorded_in_the_order_of_their_adoption(adopted, then):
    book = given(*APPROVED, ("2025-04-10", MORE))
    again = amend({R: 2400, P: 1300}, act_date=adopted, adopted_on=adopted)
    book.when("2025-05-01", again, then)


def test_an_act_may_be_recorded_after_its_adoption():
    book = given(*APPROVED)
    book.when("2025-05-01", amend({R: 2300, P: 1300}, act_date="2025-03-05"))
    assert book.figure(P, "amended", "2025-01-01", known="2025-04-30") == 1000
    assert book.figure(P, "amended", "2025-01-01", known="2025-05-01") == 1300


@pytest.mark.parametrize(("ask", "then"), [
    (amend({P: 1001}), refused("balance-identity", computed_minor=-100)),
    (amend({P: 1001}, balance=-1), OK),
    (amend({R: 2000}, balance=None), refused("balance-missing")),
    (amend({}), refused("empty-document")),
    (amend({P: -1, Q: 2001}), refused("negative-amount")),
    (amend({(*P, "011"): 0}), refused("nested-line")),
    (amend({P[:2]: 0}), refused("nested-line")),
    (amend({P: 900, NOWHERE: 100}), OK),
    (amend({P: 1000}, totals=amounts({P[:1]: 2000})), OK),
    (amend({P: 1000}, totals=amounts({P[:1]: 1999})), refused("hierarchy-sum")),
    (amend({P: 1000}, effective_from="2026-01-01"), refused("outside-fiscal-year")),
    (amend({P: 1000}, plans_effective_from="2026-02-01", plans=[plan_of(P, payments={1: 1})]),
     refused("outside-fiscal-year")),
    (amend({P: 1000}, by="akimat"), refused("actor-not-authorized")),
])  # fmt: skip
def test_the_whole_budget_is_checked_after_an_amendment(ask, then):
    given(*APPROVED).when("2025-02-01", ask, then)


def test_a_new_line_has_no_approved_figure():
    book = given(*APPROVED, ("2025-02-01", amend({P: 900, NOWHERE: 100})))
    figures = [book.figure(NOWHERE, m, "2025-02-01") for m in ("approved", "amended", "adjusted")]
    assert figures == [0, 100, 100]


LINE = f"line {' / '.join(P)}"


def test_a_retroactive_cut_below_what_was_planned_and_paid_names_the_first_days():
    book = given(*RUNNING, ("2025-02-18", pay(P, 200, "C1")))
    book.when("2025-05-01", amend({R: 1100, P: 100}), refused(
        "limit-exceeded",
        ("appropriation", LINE, "2025-01-05", 900, 750),
        ("appropriation", LINE, "2025-01-05", 900, 0),
        ("appropriation", LINE, "2025-02-18", 900, 800)))  # fmt: skip


def test_plans_that_come_with_an_amendment_count_from_their_own_day():
    book = given(*PLANNED)
    book.when("2025-04-10", amend({R: 2100, P: 1100}, plans_effective_from="2025-04-10",
              plans=[plan_of(P, payments={1: 50, 5: 50})]))  # fmt: skip
    days = ("2025-04-09", "2025-04-10", "2025-05-01")
    assert [book.figure(P, "plan_payments", day) for day in days] == [500, 550, 600]


def test_a_budget_without_approval_may_be_amended():
    """Where a policy asks for no approval, the first act may be an amendment."""
    from tests.instruments.test_controls import custom  # noqa: PLC0415 - one jurisdiction shared

    book = given(APPROVED[0], jurisdiction=custom(approval="no"))
    book.when("2025-01-10", receive(10))
    book.when("2025-02-01", amend({R: 10, P: 10}))
    book.when("2025-02-02", change_plan(plan_of(P, payments={2: 10})))
    book.when("2025-02-03", approve({R: 10}, balance=None), OK)
