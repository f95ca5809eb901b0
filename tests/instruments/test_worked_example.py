"""The worked example E2 of the rules, all its answers that cells and movements can give."""

from __future__ import annotations

import pytest

from tests.instruments.asks import (
    APPROVED,
    YEAR,
    P,
    Q,
    R,
    adjust,
    amend,
    cut,
    give_back,
    pay,
    plan_of,
    receive,
    register,
    set_plan,
)
from tests.instruments.harness import Book, accepted, given, refused


def worked_example() -> Book:
    book = given(*APPROVED)
    plans = [plan_of(line, commitments={1: 1000}, payments=YEAR) for line in (P, Q)]
    book.when("2025-01-05", set_plan(*plans),
              accepted("budget.plan.set", "budget.plan.month.changed"))  # fmt: skip
    book.when("2025-01-10", receive(900), accepted("budget.receipt.credited"))
    book.when("2025-01-20", register("C1", P, 600), accepted("budget.commitment.registered"))
    paid = book.when("2025-02-18", pay(P, 200, "C1"), accepted("budget.payment.executed"))
    month_changed = "budget.plan.month.changed"
    moved = adjust(
        {P: -100, Q: 100},
        plan_of(P, commitments={3: -100}, payments={10: -100}),
        plan_of(Q, commitments={3: 100}, payments={10: 100}),
    )
    kinds = ("budget.adjusted", "budget.line.adjusted", month_changed)
    book.when("2025-03-06", moved, accepted(*kinds))
    more = [plan_of(P, commitments={4: 300}, payments={7: 200, 10: 100})]
    amended = amend({R: 2300, P: 1200, Q: 1100}, plans=more, plans_effective_from="2025-04-10")
    kinds = ("budget.amended", "budget.line.amended", month_changed)
    book.when("2025-04-10", amended, accepted(*kinds))
    payment = paid.command.command_id
    book.when("2025-05-02", give_back("RecoverCashExpenditure", payment, 20),
              accepted("budget.cash_expenditure.recovered"))  # fmt: skip
    less = plan_of(P, commitments={6: -60}, payments={10: -60})
    kinds = ("budget.sequestration.ordered", "budget.sequestration.applied", month_changed)
    book.when("2025-06-01", cut({P: 60}, less), accepted(*kinds))
    unused = ("unused-registration", "contract C1", "2025-07-01", 430, 420)
    book.when("2025-07-01", pay(P, 430, "C1"), refused("limit-exceeded", unused))
    late = refused("registration-closed", last_day="2025-12-20", today="2025-12-21")
    book.when("2025-12-21", register("C2", P, 10), late)
    return book


@pytest.fixture(scope="module")
def book() -> Book:
    return worked_example()


ROWS = [
    # line, effective, known, approved, amended, adjusted
    (P, "2025-07-01", "2025-12-31", 1000, 1200, 1140),
    (Q, "2025-07-01", "2025-12-31", 1000, 1100, 1100),
    (P, "2025-02-01", "2025-04-01", 1000, 1000, 1000),
    (P, "2025-02-01", "2025-04-10", 1000, 1200, 1200),
    (P, "2025-02-01", "2025-12-31", 1000, 1200, 1200),
    (P, "2025-03-31", "2025-04-01", 1000, 1000, 900),
    (Q, "2025-03-31", "2025-04-01", 1000, 1000, 1100),
    (P, "2025-03-31", "2025-04-10", 1000, 1200, 1200),
    (Q, "2025-03-31", "2025-04-10", 1000, 1100, 1100),
    (R, "2025-03-31", "2025-04-01", 2000, 2000, 2000),
    (R, "2025-01-01", "2025-04-10", 2000, 2300, 2300),
    (P, "2025-05-31", "2025-12-31", 1000, 1200, 1200),
    (P, "2025-06-01", "2025-12-31", 1000, 1200, 1140),
]


@pytest.mark.parametrize(("line", "on", "known", "approved", "amended", "adjusted"), ROWS)
def test_three_figures_of_the_example(book, line, on, known, approved, amended, adjusted):
    found = [book.figure(line, name, on, known) for name in ("approved", "amended", "adjusted")]
    assert found == [approved, amended, adjusted]


@pytest.mark.parametrize(("line", "measure", "on", "expected"), [
    (P, "plan_payments", "2025-07-01", 950), (P, "plan_payments", "2025-12-31", 1140),
    (P, "plan_commitments", "2025-07-01", 1140), (P, "accepted", "2025-07-01", 600),
    (P, "executed", "2025-07-01", 180), (P, "executed", "2025-04-30", 200),
    (Q, "plan_payments", "2025-12-31", 1100), (Q, "plan_commitments", "2025-12-31", 1100),
    (Q, "accepted", "2025-12-31", 0), (R, "executed", "2025-07-01", 900),
])  # fmt: skip
def test_plans_commitments_and_execution_of_the_example(book, line, measure, on, expected):
    assert book.figure(line, measure, on) == expected


def test_derived_figures_of_the_example(book):
    def on_day(name):
        return book.figure(P, name, "2025-07-01")

    assert on_day("accepted") - on_day("executed") == 420
    assert round(100 * on_day("executed") / on_day("plan_payments"), 1) == 18.9
    assert round(100 * on_day("executed") / on_day("adjusted"), 1) == 15.8
    assert book.figure(P, "plan_payments", "2025-12-31") - on_day("executed") == 960


@pytest.mark.parametrize(("on", "expected"), [
    ("2025-01-09", 0), ("2025-01-10", 900), ("2025-02-18", 700), ("2025-05-02", 720),
])  # fmt: skip
def test_cash_of_the_example(book, on, expected):
    assert book.cash(on) == expected


def test_an_absorbing_amendment_writes_the_rest_on_the_day_of_the_adjustment(book):
    changes = [
        (fact.effective_from.isoformat(), fact.amended_minor // 100, fact.adjusted_minor // 100)
        for fact in book.events
        if fact.kind == "budget.line.amended" and fact.line == P
    ]
    assert changes == [("2025-01-01", 200, 200), ("2025-03-06", 0, 100)]


def test_refusals_are_facts_that_change_nothing(book):
    kinds = [fact.kind for fact in book.events]
    assert kinds[-2:] == ["ledger.command.refused"] * 2
    assert [dict(fact.movement().amounts) for fact in book.events[-2:]] == [{}, {}]


def test_the_same_commands_give_the_same_bytes(book):
    again = worked_example()
    assert again.events == book.events
    for code, state in book.states.items():
        cells = {key: cell.encode() for key, cell in state.cells.items() if cell}
        other = again.states[code].cells
        assert cells == {key: cell.encode() for key, cell in other.items() if cell}
