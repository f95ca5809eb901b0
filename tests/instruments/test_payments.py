"""Payments: inside cash, payments plan and unused registration (I7); returns and recoveries."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.instruments.asks import (
    NOWHERE,
    PLANNED,
    RUNNING,
    P,
    Q,
    R,
    adjust,
    cancel,
    give_back,
    pay,
    plan_of,
    receive,
    register,
    reject,
)
from tests.instruments.harness import OK, accepted, given, refused

LINE = f"line {' / '.join(P)}"
DAY = "2025-02-18"


@pytest.mark.parametrize(("ask", "then"), [
    (pay(P, 250, "C1"), accepted("budget.payment.executed")),
    (pay(P, 250), OK),
    (pay((*P, "011"), 250, "C1"), OK),
    (pay(P, 251, "C1"), refused("limit-exceeded", ("payments-plan", LINE, DAY, 251, 250))),
    (pay(P, "250.01", "C1"), refused("limit-exceeded", ("payments-plan", LINE, DAY, 250.01, 250))),
    (pay(P, 601, "C1"), refused("limit-exceeded", ("payments-plan", LINE, DAY, 601, 250),
                                ("unused-registration", "contract C1", DAY, 601, 600))),
    (pay(P, 1001, "C1"), refused(
        "limit-exceeded", ("cash", "budget", DAY, 1001, 900),
        ("payments-plan", LINE, DAY, 1001, 250),
        ("unused-registration", "contract C1", DAY, 1001, 600),
        ("appropriation", LINE, DAY, 1001, 1000))),
    (pay(Q, 1, "C1"), refused("wrong-line", contract="C1")),
    (pay(P, 1, "C9"), refused("unknown-contract")),
    (pay(NOWHERE, 1), refused("unknown-line")),
    (pay(R, 1), refused("wrong-section")),
    (pay(P, 1, by="akimat"), refused("actor-not-authorized")),
    (pay(P, 1, "C1", value_date="2025-01-19"), refused(
        "limit-exceeded", ("unused-registration", "contract C1", "2025-01-19", 1, 0))),
    (reject(P, 5000), accepted("budget.payment.rejected")),
    (reject(P, 5000, contract="C9"), OK),
    (reject(NOWHERE, 1), refused("unknown-line")),
])  # fmt: skip
def test_a_payment_from_900_of_cash_250_of_plan_and_600_of_contract(ask, then):
    given(*RUNNING).when(DAY, ask, then)


def test_a_payment_above_its_contracts_line_is_refused():
    book = given(*PLANNED, ("2025-01-10", receive(900)),
                 ("2025-01-20", register("C1", (*P, "011"), 600)))  # fmt: skip
    book.when(DAY, pay(P, 1, "C1"), refused("wrong-line"))
    book.when(DAY, pay((*P, "015"), 1, "C1"), refused("wrong-line"))
    book.when(DAY, pay((*P, "011", "159"), 1, "C1"))


BACKDATED = [
    # value date of a late payment of 100; cash is 300 until 1 March, 50 until 1 April, then 350
    ("2025-01-09", refused("limit-exceeded", ("cash", "budget", "2025-01-09", 100, 0))),
    ("2025-02-01", refused("limit-exceeded", ("cash", "budget", "2025-03-01", 100, 50))),
    ("2025-03-15", refused("limit-exceeded", ("cash", "budget", "2025-03-15", 100, 50))),
    ("2025-04-01", OK),
]


@pytest.mark.parametrize(("value_date", "then"), BACKDATED)
def test_a_backdated_payment_names_the_first_day_it_would_break(value_date, then):
    book = given(*PLANNED, ("2025-01-10", receive(300)), ("2025-03-01", pay(Q, 250)),
                 ("2025-04-01", receive(300)))  # fmt: skip
    book.when("2025-04-10", pay(P, 100, value_date=value_date), then)


def test_a_backdated_payment_may_break_several_limits_on_different_days():
    """On P 250 a quarter are planned; 250 are paid in March, 250 in April; 100 come late."""
    book = given(*PLANNED, ("2025-01-10", receive(300)), ("2025-03-01", pay(P, 250)),
                 ("2025-04-01", receive(200)), ("2025-04-02", pay(P, 249)))  # fmt: skip
    book.when("2025-04-10", pay(P, 100, value_date="2025-02-01"), refused(
        "limit-exceeded", ("cash", "budget", "2025-03-01", 100, 50),
        ("payments-plan", LINE, "2025-03-01", 100, 0)))  # fmt: skip


BACK = ["ReturnPayment", "RecoverCashExpenditure"]


@pytest.mark.parametrize("name", BACK)
def test_money_that_comes_back_restores_cash_plan_and_registration(name):
    book = given(*RUNNING)
    paid = book.when(DAY, pay(P, 200, "C1")).command.command_id
    book.when("2025-05-02", give_back(name, paid, 20))
    assert (book.figure(P, "executed", "2025-05-02"), book.cash("2025-05-02")) == (180, 720)
    subject = f"payment {paid}"
    book.when("2025-05-03", give_back(name, paid, 181), refused(
        "limit-exceeded", ("payment-remaining", subject, "2025-05-03", 181, 180)))  # fmt: skip
    book.when("2025-05-03", give_back(name, paid, 180))
    book.when("2025-05-04", give_back(name, paid, 1), refused(
        "limit-exceeded", ("payment-remaining", subject, "2025-05-04", 1, 0)))  # fmt: skip
    book.when("2025-05-05", pay(P, 500, "C1"))


@pytest.mark.parametrize("name", BACK)
@pytest.mark.parametrize(("more", "then"), [
    ({"payment": str(UUID(int=999))}, refused("unknown-payment")),
    ({"reason": None}, refused("reason-missing")),
    ({"value_date": "2025-02-17"}, refused(
        "limit-exceeded", ("payment-remaining", f"payment {UUID(int=77)}", "2025-02-17", 20, 0))),
    ({"value_date": "2025-05-03"}, refused("value-date-in-future")),
])  # fmt: skip
def test_money_cannot_come_back(name, more, then):
    book = given(*RUNNING)
    book.when(DAY, pay(P, 200, "C1", command_id=str(UUID(int=77))))
    ask = give_back(name, UUID(int=77), 20, **more)
    book.when("2025-05-02", ask, then)


def test_a_receipt_is_no_payment_that_could_be_returned():
    book = given(*RUNNING)
    credit = book.when("2025-03-01", receive(5)).command.command_id
    book.when("2025-05-02", give_back("ReturnPayment", credit, 5), refused("unknown-payment"))


def test_a_backdated_recovery_is_no_new_room_for_the_past():
    """20 recovered on 2 May do not allow 60 more on 1 April, when 250 of 250 were paid."""
    book = given(*RUNNING, ("2025-03-01", adjust({P: 0}, plan_of(P, payments={4: -250, 10: 250}))))
    paid = book.when("2025-03-02", pay(P, 250)).command.command_id
    book.when("2025-05-02", give_back("RecoverCashExpenditure", paid, 60))
    book.when("2025-05-03", pay(P, 60, value_date="2025-04-01"), refused(
        "limit-exceeded", ("payments-plan", LINE, "2025-04-01", 60, 0)))  # fmt: skip
    book.when("2025-05-03", pay(P, 60))


def test_money_may_come_back_after_the_contract_was_cancelled():
    book = given(*RUNNING)
    paid = book.when(DAY, pay(P, 200, "C1")).command.command_id
    book.when("2025-03-01", cancel("C1"))
    book.when("2025-05-02", give_back("ReturnPayment", paid, 200))
    assert book.figure(P, "executed", "2025-05-02") == 0
