"""Approval: the balance identity (I1), the hierarchy sums (I2), zero and contra lines."""

from __future__ import annotations

import pytest

from tests.instruments.asks import APPROVED, NOWHERE, P, Q, R, amend, amounts, approve, pay, receive
from tests.instruments.harness import accepted, given, refused

CREDIT = ("budget_credit", "10", "212", "001")
REPAID = ("credit_repayment", "5")
BOUGHT = ("financial_asset_purchase", "13", "101", "001")
SOLD = ("financial_asset_sale", "6")
LOANS = ("borrowing", "7")
REDEEMED = ("loan_repayment", "16", "101", "001")
BALANCES = ("balances_used", "8")
FINANCING = ("financing",)
OK = accepted("budget.approved", "budget.line.approved")

# I - II - III - IV = V; VI/VII = -V; a section that is not given is not invented.
BALANCE = [
    ("balanced", {R: 100, P: 60, Q: 40}, 0, OK),
    ("surplus", {R: 100, P: 60}, 40, OK),
    ("deficit", {R: 100, P: 160}, -60, OK),
    ("deficit printed without its sign", {R: 100, P: 160}, 60,
     refused("balance-identity", computed_minor=-6000, document_minor=6000)),
    ("all sections", {R: 100, P: 90, CREDIT: 20, REPAID: 5, BOUGHT: 7, SOLD: 2, LOANS: 12,
                      REDEEMED: 4, BALANCES: 2}, -10, OK),
    ("financing of the wrong sum", {R: 100, P: 110, LOANS: 9}, -10,
     refused("financing-identity", financing_minor=900, balance_minor=-1000)),
    ("financing of a deficit as one total", {R: 100, P: 110, FINANCING: 10}, -10, OK),
    ("financing with the deficit's own sign", {R: 110, P: 100, BALANCES: 10}, 10,
     refused("financing-identity")),
    ("balance not stated", {R: 100, P: 100}, None, refused("balance-missing", computed_minor=0)),
    ("spending only, no balance stated", {P: 100}, None, OK),
    ("receipts only, no balance stated", {R: 100}, None, OK),
    ("spending only, a balance stated", {P: 100}, 0, refused("balance-identity")),
    ("one tiyn off", {R: "100.01", P: 100}, 0, refused("balance-identity", computed_minor=1)),
    ("lines of zero", {R: 0, P: 0, Q: 0}, 0, OK),
    ("no lines", {}, 0, refused("empty-document")),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "balance", "then"), [row[1:] for row in BALANCE],
                         ids=[row[0] for row in BALANCE])  # fmt: skip
def test_the_balance_identity(lines, balance, then):
    given(*APPROVED[:1]).when("2024-12-24", approve(lines, balance=balance), then)


P_PARTS = {(*P, "011"): 30, (*P, "015"): 70, Q: 50}


@pytest.mark.parametrize(("totals", "then"), [
    ({("expenditure",): 150, P[:2]: 100, P: 100, (*P, "011"): 30, ("revenue",): 150}, OK),
    ({P: 99}, refused("hierarchy-sum", lines_minor=10000, document_minor=9900)),
    ({("expenditure",): 149}, refused("hierarchy-sum", line="expenditure")),
    ({("budget_credit",): 0}, OK),
    ({("budget_credit",): 1}, refused("hierarchy-sum", lines_minor=0)),
])  # fmt: skip
def test_the_hierarchy_sums(totals, then):
    ask = approve({R: 150, **P_PARTS}, totals=amounts(totals))
    given(*APPROVED[:1]).when("2024-12-24", ask, then)


@pytest.mark.parametrize(("lines", "then"), [
    ([(R, 10, {}), (P, 5, {}), (P, 5, {})], refused("duplicate-line", line=" / ".join(P))),
    ([(R, 10, {}), (P[:2], 5, {}), (P, 5, {})], refused("nested-line", line=" / ".join(P))),
    ([(R, 10, {}), (P, 15, {}), (Q, -5, {})], refused("negative-amount", amount_minor=-500)),
    ([(R, 10, {}), (P, 15, {}), (Q, -5, {"contra": True})], OK),
    ([(R, 10, {}), (P, 5, {}), (Q, 5, {"contra": True})], refused("contra-positive")),
    ([(R, 10, {}), (P, 10, {}), (Q, 0, {"contra": True})], OK),
])  # fmt: skip
def test_the_lines_of_a_document(lines, then):
    listed = [part for line, amount, more in lines for part in amounts({line: amount}, **more)]
    ask = approve({}, lines=listed)
    given(*APPROVED[:1]).when("2024-12-24", ask, then)


def test_approved_amended_and_adjusted_start_equal():
    book = given(*APPROVED)
    for line, amount in ((R, 2000), (P, 1000), (Q, 1000), (P[:2], 1000), (P[:1], 2000)):
        figures = [book.figure(line, m, "2025-01-01") for m in ("approved", "amended", "adjusted")]
        assert figures == [amount] * 3
        assert book.figure(line, "approved", "2024-12-31") == 0


def test_a_budget_may_be_approved_at_the_depth_of_its_document():
    sections = {("revenue",): 100, ("expenditure",): 100}
    book = given(APPROVED[0], ("2024-12-24", approve(sections)))
    book.when("2025-01-10", receive(50))
    overdrawn = [("cash", "budget", "2025-01-10", 60, 50),
                 ("payments-plan", f"line {' / '.join(NOWHERE)}", "2025-01-10", 60, 0)]  # fmt: skip
    book.when("2025-01-10", pay(NOWHERE, 60), refused("limit-exceeded", *overdrawn))


def test_a_contra_line_stays_one_and_no_other_becomes_one():
    listed = [*amounts({R: 95, P: 100}), *amounts({Q: -5}, contra=True)]
    book = given(APPROVED[0], ("2024-12-24", approve({}, lines=listed)))
    book.when("2025-02-01", amend({}, lines=amounts({Q: -10}, contra=True), balance=5),
              accepted("budget.amended", "budget.line.amended"))  # fmt: skip
    turned = [*amounts({R: 90}), *amounts({P: 0}, contra=True)]
    book.when("2025-02-02", amend({}, lines=turned, balance=100), refused("contra-changed"))
