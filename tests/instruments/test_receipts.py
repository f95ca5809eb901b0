"""Receipts and refunds: on receipts lines, any valid code, cash never below zero."""

from __future__ import annotations

import pytest

from tests.instruments.asks import RUNNING, P, R, pay, receive, refund
from tests.instruments.harness import OK, accepted, given, refused

NEW = ("revenue", "1", "01", "1", "11")


@pytest.mark.parametrize(("ask", "then"), [
    (receive(100), accepted("budget.receipt.credited")),
    (receive(100, NEW), OK),
    (receive(100, ("revenue", "2")), OK),
    (receive(100, ("credit_repayment", "5", "01")), OK),
    (receive(100, P), refused("wrong-section")),
    (receive(100, ("revenue", "12")), refused("unknown-code")),
    (receive(100, by="akimat"), refused("actor-not-authorized")),
    (refund(100), accepted("budget.receipt.refunded")),
    (refund(100, ("revenue", "2")), OK),
    (refund(900), OK),
    (refund(901), refused("limit-exceeded", ("cash", "budget", "2025-02-01", 901, 900))),
    (refund(1, value_date="2025-01-09"), refused(
        "limit-exceeded", ("cash", "budget", "2025-01-09", 1, 0))),
    (refund(1, P), refused("wrong-section")),
    (refund(1, reason=None), refused("reason-missing")),
])  # fmt: skip
def test_money_on_a_receipts_code(ask, then):
    given(*RUNNING).when("2025-02-01", ask, then)


def test_receipts_below_a_line_count_for_it():
    book = given(*RUNNING, ("2025-02-01", receive(100, NEW)), ("2025-02-02", refund(30, NEW)))
    assert [book.figure(line, "executed", "2025-02-02") for line in (R, NEW)] == [970, 70]
    assert book.cash("2025-02-02") == 970


def test_a_code_may_have_more_refunded_than_received():
    book = given(*RUNNING, ("2025-02-01", receive(10, NEW)), ("2025-02-01", refund(30, NEW)))
    assert book.figure(NEW, "executed", "2025-02-01") == -20


def test_a_backdated_refund_that_breaks_a_later_day_names_it():
    book = given(*RUNNING, ("2025-02-18", pay(P, 250)))
    book.when("2025-03-01", refund(651, value_date="2025-02-01"), refused(
        "limit-exceeded", ("cash", "budget", "2025-02-18", 651, 650)))  # fmt: skip
