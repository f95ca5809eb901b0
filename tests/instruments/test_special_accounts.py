"""Special accounts: own purpose, balance never negative, outside the budget's totals (I22)."""

from __future__ import annotations

import pytest

from tests.instruments.asks import APPROVED, RUNNING, account, open_budget
from tests.instruments.harness import OK, accepted, given, refused
from tests.instruments.test_opening import with_budget

OPEN = account("OpenSpecialAccount", purpose="greening", owner="akim-7")
WITH_MONEY = (
    *RUNNING,
    ("2025-02-01", OPEN),
    ("2025-02-03", account("CreditSpecialAccount", amount="500")),
)


def debit(amount, purpose="greening", **more):
    return account("DebitSpecialAccount", amount=str(amount), purpose=purpose, **more)


def closing(**more):
    return account("CloseSpecialAccount", **more)


@pytest.mark.parametrize(("ask", "then"), [
    (account("OpenSpecialAccount", "KSN-8", purpose="x", owner="y-1"),
     accepted("budget.special_account.opened")),
    (OPEN, refused("account-exists", account="KSN-7")),
    (account("CreditSpecialAccount", amount="1"), accepted("budget.special_account.credited")),
    (account("CreditSpecialAccount", "KSN-9", amount="1"), refused("unknown-account")),
    (debit(500), accepted("budget.special_account.debited")),
    (debit(501), refused("limit-exceeded", (
        "special-account", "account KSN-7", "2025-03-01", 501, 500))),
    (debit(1, value_date="2025-02-02"), refused("limit-exceeded", (
        "special-account", "account KSN-7", "2025-02-02", 1, 0))),
    (account("CreditSpecialAccount", amount="1", value_date="2025-01-31"),
     refused("dates-out-of-order", open_from="2025-02-01")),
    (debit(1, value_date="2025-01-31"), refused("dates-out-of-order")),
    (debit(1, purpose="roads"), refused("wrong-purpose", purpose="roads")),
    (debit(1, number="KSN-9"), refused("unknown-account")),
    (debit(1, by="akim"), refused("actor-not-authorized")),
    (closing(), refused("account-not-empty", balance_minor=50_000)),
    (closing(number="KSN-9"), refused("unknown-account")),
    (account("OpenSpecialAccount", "KSN-8", purpose="x", owner="y-1", by="akim"),
     refused("actor-not-authorized")),
])  # fmt: skip
def test_an_account_with_500(ask, then):
    given(*WITH_MONEY).when("2025-03-01", ask, then)


def test_special_money_is_outside_the_budget():
    book = given(*WITH_MONEY, ("2025-03-01", debit(200)))
    assert book.cash("2025-03-01") == 900
    assert book.cash("2025-03-01", "KSN-7") == 300
    assert book.figure(("expenditure",), "executed", "2025-03-01") == 0


def test_an_empty_account_closes_once_not_before_its_last_movement():
    book = given(*WITH_MONEY, ("2025-03-01", debit(500)))
    book.when("2025-03-02", closing(effective_from="2025-02-28"), refused("dates-out-of-order"))
    closed = accepted("budget.special_account.closed")
    book.when("2025-03-02", closing(effective_from="2025-03-01"), closed)
    for ask in (closing(), debit(1), account("CreditSpecialAccount", amount="1")):
        book.when("2025-03-03", ask, refused("account-closed", account="KSN-7"))
    book.when("2025-03-03", OPEN, refused("account-exists"))


@pytest.mark.parametrize(("level", "capacity", "then"), [
    (4, "akim", OK), (3, "akimat", OK), (3, "akim", refused("actor-not-authorized")),
    (1, "treasury", refused("actor-not-authorized")),
])  # fmt: skip
def test_who_opens_an_account(level, capacity, then):
    code = "KZ-2025-test"
    book = given(("2024-12-20", open_budget(level, budget=code)))
    book.when("2025-02-01", with_budget(OPEN, code, by=capacity), then)


def test_an_account_may_be_open_before_the_budget_is_approved():
    book = given(APPROVED[0], ("2025-01-02", OPEN))
    book.when("2025-01-03", account("CreditSpecialAccount", amount="1"))
