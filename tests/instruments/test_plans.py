"""Plans: set whole, changed by month, inside the appropriation and the receipts plan (I6)."""

from __future__ import annotations

import pytest

from tests.instruments.asks import (
    APPROVED,
    NOWHERE,
    PLANNED,
    YEAR,
    P,
    Q,
    R,
    change_plan,
    pay,
    plan_of,
    receive,
    set_plan,
)
from tests.instruments.harness import OK, accepted, given, refused

LINE = f"line {' / '.join(P)}"


def planned(book, measure, *days, line=P):
    return [book.figure(line, measure, day) for day in days]


def test_a_month_counts_from_its_first_day_or_from_its_legal_effect():
    book = given(*APPROVED)
    book.when("2025-03-10", set_plan(plan_of(P, payments={1: 10, 3: 10, 4: 10})))
    days = ("2025-03-09", "2025-03-10", "2025-03-31", "2025-04-01")
    assert planned(book, "plan_payments", *days) == [0, 20, 20, 30]


def test_a_plan_that_is_set_replaces_all_its_months():
    book = given(*PLANNED)
    book.when("2025-02-01", set_plan(plan_of(P, payments={1: 250, 6: 100})),
              accepted("budget.plan.set", "budget.plan.month.changed"))  # fmt: skip
    days = ("2025-01-31", "2025-04-01", "2025-06-01", "2025-12-31")
    assert planned(book, "plan_payments", *days) == [250, 250, 350, 350]
    assert planned(book, "plan_commitments", "2025-12-31") == [1000]


# P is planned from 5 January: 250 in January, April, July, October. A whole plan follows.
WHOLE = [
    # effective from, months, days, plan on these days
    ("2025-01-01", {1: 500}, ("2025-01-01", "2025-01-05", "2025-04-01"), [500, 500, 500]),
    ("2025-01-01", {1: 1}, ("2025-01-01", "2025-01-05", "2025-12-31"), [1, 1, 1]),
    ("2025-01-03", {2: 9}, ("2025-01-02", "2025-01-05", "2025-02-01"), [0, 0, 9]),
    ("2025-05-01", {7: 300}, ("2025-04-30", "2025-05-01", "2025-07-01"), [500, 0, 300]),
]


@pytest.mark.parametrize(("since", "months", "days", "expected"), WHOLE)
def test_a_whole_plan_holds_from_its_effective_day(since, months, days, expected):
    book = given(*PLANNED)
    book.when("2025-05-01", set_plan(plan_of(P, payments=months), effective_from=since))
    assert planned(book, "plan_payments", *days) == expected


def test_a_whole_plan_replaces_changes_that_were_to_take_effect_later():
    book = given(*PLANNED)
    book.when("2025-02-01", change_plan(plan_of(P, payments={3: 200}), effective_from="2025-06-01"),
              refused("limit-exceeded", ("appropriation", LINE, "2025-10-01", 200, 0)))  # fmt: skip
    later = change_plan(plan_of(P, payments={3: 200, 10: -200}), effective_from="2025-06-01")
    book.when("2025-02-01", later)
    book.when("2025-02-02", set_plan(plan_of(P, payments={2: 30, 3: 40})))
    days = ("2025-02-01", "2025-02-02", "2025-03-01", "2025-05-31", "2025-06-01", "2025-12-31")
    assert planned(book, "plan_payments", *days) == [250, 30, 70, 70, 70, 70]


def test_setting_the_same_plan_again_changes_nothing():
    book = given(*PLANNED)
    book.when("2025-02-01", set_plan(plan_of(P, payments=YEAR)), accepted("budget.plan.set"))


@pytest.mark.parametrize(("ask", "then"), [
    (set_plan(plan_of(P, payments={1: -1})), refused("negative-amount", month="2025-01")),
    (set_plan(plan_of(P, payments={1: 1001})), refused(
        "limit-exceeded", ("appropriation", LINE, "2025-01-05", 1001, 1000))),
    (set_plan(plan_of(P, commitments={1: 500, 9: 501})), refused(
        "limit-exceeded", ("appropriation", LINE, "2025-09-01", 1001, 1000))),
    (set_plan(plan_of(P, payments={1: 1000}, commitments={1: 1000})), OK),
    (set_plan(plan_of(NOWHERE, payments={1: 1})), refused("unknown-line")),
    (set_plan(plan_of(R, payments={1: 1})), refused("wrong-plan")),
    (set_plan(plan_of(R, commitments={1: 1})), refused("wrong-plan")),
    (set_plan(plan_of(P, receipts={1: 1})), refused("wrong-plan")),
    (set_plan({"line": list(P), "payments": [{"month": "2026-01", "amount": "1"}]}),
     refused("outside-fiscal-year", month="2026-01")),
    (set_plan({"line": list(P), "payments": [{"month": "2025-01", "amount": "1"}] * 2}),
     refused("duplicate-line", month="2025-01")),
    (change_plan(plan_of(P, payments={1: -1})), refused(
        "limit-exceeded", ("plan-below-zero", LINE, "2025-01-05", 1, 0))),
    (change_plan(plan_of(P, payments={3: 5, 2: -1})), refused(
        "limit-exceeded", ("plan-below-zero", LINE, "2025-02-01", 1, 0))),
    (change_plan(plan_of(P, payments={2: 5, 3: -5})), OK),
    (change_plan(plan_of(R, receipts={2: -5})), refused(
        "limit-exceeded", ("plan-below-zero", "line revenue / 1", "2025-02-01", 5, 0),
        ("plan-balance", "budget", "2025-02-01", 5, 0))),
    (change_plan(plan_of(P, payments={2: 5}), by="akimat"), refused("actor-not-authorized")),
    (set_plan(plan_of(P, payments={1: 1}), effective_from="2026-01-01"),
     refused("outside-fiscal-year")),
])  # fmt: skip
def test_a_plan_of_an_approved_budget(ask, then):
    given(*APPROVED).when("2025-01-05", ask, then)


@pytest.mark.parametrize(("changes", "then"), [
    ({4: -250, 10: 250}, OK),
    ({1: -250, 4: 250}, refused("limit-exceeded", ("payments-plan", LINE, "2025-02-20", 250, 50))),
    ({1: -50}, OK),
    ({10: -250}, OK),
    ({10: 1}, refused("limit-exceeded", ("appropriation", LINE, "2025-10-01", 1, 0))),
])  # fmt: skip
def test_a_change_of_a_plan_from_which_200_are_paid(changes, then):
    book = given(*PLANNED, ("2025-01-10", receive(900)), ("2025-02-18", pay(P, 200)))
    book.when("2025-02-20", change_plan(plan_of(P, payments=changes)), then)


@pytest.mark.parametrize(("first", "second", "then"), [
    (P, (*P, "011"), refused("nested-line")),
    ((*P, "011"), P, refused("nested-line")),
    ((*P, "011"), (*P, "015"), OK),
    (P, Q, OK),
])  # fmt: skip
def test_one_line_of_a_branch_carries_the_plan(first, second, then):
    book = given(*APPROVED, ("2025-01-05", set_plan(plan_of(first, payments={1: 10}))))
    book.when("2025-01-06", set_plan(plan_of(second, payments={1: 10})), then)
    book.when("2025-01-07", set_plan(plan_of(second, commitments={1: 10})), OK)


def test_plans_below_a_line_together_stay_inside_its_appropriation():
    book = given(*APPROVED, ("2025-01-05", set_plan(plan_of((*P, "011"), payments={1: 600}))))
    book.when("2025-01-06", set_plan(plan_of((*P, "015"), payments={1: 401})), refused(
        "limit-exceeded", ("appropriation", LINE, "2025-01-06", 401, 400)))  # fmt: skip
    book.when("2025-01-06", set_plan(plan_of((*P, "015"), payments={1: 400})))


RECEIPTS = plan_of(R, receipts={1: 300, 4: 700})


@pytest.mark.parametrize(("payments", "then"), [
    ({1: 300, 4: 700}, OK),
    ({1: 200, 4: 800}, OK),
    ({1: 301}, refused("limit-exceeded", ("plan-balance", "budget", "2025-01-06", 301, 300))),
    ({1: 300, 3: 1}, refused("limit-exceeded", ("plan-balance", "budget", "2025-03-01", 301, 300))),
    ({4: 1000}, OK),
])  # fmt: skip
def test_cumulative_payments_stay_inside_cumulative_receipts(payments, then):
    book = given(*APPROVED, ("2025-01-05", set_plan(RECEIPTS)))
    book.when("2025-01-06", set_plan(plan_of(P, payments=payments)), then)


def test_receipts_and_payments_planned_in_one_document():
    book = given(*APPROVED)
    book.when("2025-01-05", set_plan(plan_of(P, payments={1: 300}), RECEIPTS))
    book.when("2025-01-06", change_plan(plan_of(R, receipts={1: -1})), refused(
        "limit-exceeded", ("plan-balance", "budget", "2025-01-06", 1, 0)))  # fmt: skip
