"""Controls are dated data: each stops, warns with a flag or is off, with a tolerance."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from ledger.cells import BUDGET
from tests.instruments.asks import (
    APPROVED,
    P,
    R,
    amounts,
    approve,
    change,
    change_plan,
    give_back,
    pay,
    plan_of,
    receive,
    register,
    set_plan,
)
from tests.instruments.harness import OK, accepted, given, kazakhstan, refused

LINE = f"line {' / '.join(P)}"
ALL = ("cash", "special-account", "payments-plan", "unused-registration", "commitments-plan",
       "appropriation", "plan-balance")  # fmt: skip


def custom(approval: str = "yes", *extra: dict[str, Any], **modes: Any) -> dict[str, Any]:
    """Return Kazakhstan with other controls: cash="warn", payments_plan=("stop", 500)."""
    document = deepcopy(kazakhstan())
    document["controls"] = list(extra)
    for name in ALL:
        mode = modes.get(name.replace("-", "_"), "off")
        mode, tolerance = mode if isinstance(mode, tuple) else (mode, 0)
        document["controls"].append({"control": name, "mode": mode, "since": "2004-01-01",
                                     "tolerance_minor": tolerance})  # fmt: skip
    document["policies"].append({"policy": "approval-required", "value": approval,
                                 "since": "2004-01-01"})  # fmt: skip
    return document


CASH = ("cash", "budget", "2025-02-01", 100, 0)
PLAN = ("payments-plan", LINE, "2025-02-01", 100, 0)

# A payment of 100 without cash, plan and contract.
MODES = [
    ({}, OK),
    ({"cash": "warn"}, accepted(flags=("cash",))),
    ({"payments_plan": "warn", "cash": "warn"}, accepted(flags=("cash", "payments-plan"))),
    ({"cash": "stop"}, refused("limit-exceeded", CASH)),
    ({"cash": "warn", "payments_plan": "stop"}, refused("limit-exceeded", PLAN)),
    ({"cash": "stop", "payments_plan": "stop"}, refused("limit-exceeded", CASH, PLAN)),
    ({"cash": ("stop", 9_999)}, refused("limit-exceeded", CASH)),
    ({"cash": ("stop", 10_000)}, OK),
    ({"cash": ("warn", 10_000)}, OK),
    ({"appropriation": "stop"}, OK),
]


@pytest.mark.parametrize(("modes", "then"), MODES)
def test_how_hard_a_control_is(modes, then):
    book = given(*APPROVED, jurisdiction=custom(**modes))
    book.when("2025-02-01", pay(P, 100), then)


def test_a_figure_left_broken_by_a_warning_does_not_stop_what_makes_it_better():
    stop = {"control": "cash", "mode": "stop", "since": "2025-03-01"}
    book = given(*APPROVED, jurisdiction=custom("yes", stop, cash="warn"))
    book.checked = False
    paid = book.when("2025-02-01", pay(P, 100), accepted(flags=("cash",))).command.command_id
    book.when("2025-03-01", receive(40))
    book.when("2025-03-01", pay(P, 1), refused(
        "limit-exceeded", ("cash", "budget", "2025-03-01", 1, -60)))  # fmt: skip
    book.when("2025-03-02", give_back("ReturnPayment", paid, 60))
    book.when("2025-03-03", pay(P, 1), refused(
        "limit-exceeded", ("cash", "budget", "2025-03-03", 1, 0)))  # fmt: skip


def test_a_broken_limit_does_not_stop_what_leaves_it_as_it_is():
    """250 are paid without any plan under a warning; then plans move from April to March."""
    stop = {"control": "payments-plan", "mode": "stop", "since": "2025-03-01"}
    book = given(*APPROVED, jurisdiction=custom("yes", stop, payments_plan="warn"))
    book.checked = False
    book.when("2025-02-01", pay(P, 250), accepted(flags=("payments-plan",)))
    book.when("2025-03-01", change_plan(plan_of(P, payments={3: 5, 4: 5})))
    book.when("2025-03-02", change_plan(plan_of(P, payments={3: 5, 4: -5})))
    book.when("2025-03-03", change_plan(plan_of(P, payments={4: -1})), refused(
        "limit-exceeded", ("payments-plan", LINE, "2025-04-01", 1, -240)))  # fmt: skip


@pytest.mark.parametrize(("first", "later", "then"), [
    ("off", "stop", refused("limit-exceeded", ("cash", "budget", "2025-03-05", 100, 20))),
    ("warn", "stop", refused("limit-exceeded", ("cash", "budget", "2025-03-05", 100, 20))),
    ("off", "warn", accepted(flags=("cash",))),
    ("stop", "off", refused("limit-exceeded", ("cash", "budget", "2025-02-01", 100, 80))),
])  # fmt: skip
def test_each_day_is_judged_by_the_control_in_force_on_it(first, later, then):
    """Cash is 80 in February and 20 from 5 March; 100 are paid late for 1 February."""
    extra = {"control": "cash", "mode": later, "since": "2025-03-01"}
    book = given(*APPROVED, ("2025-02-01", receive(80)), ("2025-03-05", pay(P, 60)),
                 jurisdiction=custom("yes", extra, cash=first))  # fmt: skip
    book.checked = False
    book.when("2025-03-10", pay(P, 100, value_date="2025-02-01"), then)


@pytest.mark.parametrize(("first", "later", "bit"), [("off", "stop", 32), ("stop", "off", 0)])
def test_what_guards_a_cell_follows_its_plan_into_another_period(first, later, bit):
    """The receipts plan reaches July, where another control is in force, by one command."""
    extra = {"control": "plan-balance", "mode": later, "since": "2025-07-01"}
    book = given(*APPROVED, ("2025-01-10", set_plan(plan_of(R, receipts={1: 100}))),
                 jurisdiction=custom("yes", extra, plan_balance=first))  # fmt: skip
    decision = book.when("2025-01-11", change_plan(plan_of(R, receipts={2: 100, 12: 100})))
    [own] = decision.guards.values()
    assert own[BUDGET][0] & 32 == bit


def test_a_plan_balance_holds_from_the_first_receipts_plan_on():
    """Payments of 500 are planned before any receipts plan: it must cover them on every day."""
    book = given(*APPROVED, ("2025-01-05", set_plan(plan_of(P, payments={1: 500}))))
    later = set_plan(plan_of(R, receipts={1: 500}))
    book.when("2025-01-06", later, refused(
        "limit-exceeded", ("plan-balance", "budget", "2025-01-05", 500, 0)))  # fmt: skip
    first = {"effective_from": "2025-01-01"}
    book.when("2025-01-06", set_plan(plan_of(R, receipts={1: 400}), **first), refused(
        "limit-exceeded", ("plan-balance", "budget", "2025-01-05", 100, 0)))  # fmt: skip
    book.when("2025-01-06", set_plan(plan_of(R, receipts={1: 500}), **first))


def test_without_approval_a_line_opens_at_its_first_payment():
    document = custom(approval="no")
    document["policies"].append({"policy": "lines-opened-by", "value": ["pay"],
                                 "since": "2010-01-01"})  # fmt: skip
    book = given(APPROVED[0], jurisdiction=document)
    book.when("2025-02-01", pay(P, 100))
    book.when("2025-02-02", pay((*P, "011"), 5))
    book.when("2025-02-03", pay(P[:2], 1))
    assert [book.figure(line, "executed", "2025-12-31") for line in (P[:2], P)] == [106, 105]


def test_registration_may_be_required():
    document = custom()
    document["policies"].append({"policy": "registration-required", "value": "yes",
                                 "since": "2010-01-01"})  # fmt: skip
    book = given(*APPROVED, jurisdiction=document)
    book.when("2025-02-01", pay(P, 1), refused("registration-missing"))
    book.when("2025-02-01", register("C1", P, 1))
    book.when("2025-02-01", pay(P, 1, "C1"))


def test_money_of_a_contra_line_runs_the_other_way():
    """On a contra line a payment lowers execution and adds cash; its return takes it again."""
    contra = ("expenditure", "09", "101", "009")
    lines = [*amounts({R: 95, P: 100}), *amounts({contra: -5}, contra=True)]
    book = given(APPROVED[0], ("2024-12-24", approve({}, lines=lines)), ("2025-01-05", receive(10)))
    book.when("2025-01-06", set_plan(plan_of(contra, payments={1: 5})), refused("negative-amount"))
    book.when("2025-01-06", set_plan(plan_of(contra, payments={1: -5})))
    paid = book.when("2025-02-01", pay(contra, 3)).command.command_id
    assert (book.figure(contra, "executed", "2025-02-01"), book.cash("2025-02-01")) == (-3, 13)
    book.when("2025-02-02", give_back("ReturnPayment", paid, 1))
    book.when("2025-02-03", give_back("ReturnPayment", paid, 3), refused(
        "limit-exceeded", ("payment-remaining", f"payment {paid}", "2025-02-03", 3, 2)
    ))  # fmt: skip
    book.when("2025-02-04", register("K1", contra, 4))
    book.when("2025-02-05", pay((*contra, "011"), 3, "K1"))
    book.when("2025-02-06", pay(contra, 2, "K1"), refused(
        "limit-exceeded", ("unused-registration", "contract K1", "2025-02-06", 2, 1)))  # fmt: skip
    book.when("2025-02-07", change("K1", 1))
    book.when("2025-02-08", pay(contra, 2, "K1"))
    assert book.figure(contra, "executed", "2025-12-31") == -7


def test_a_sum_never_leaves_the_width_of_the_database():
    book = given(*APPROVED, jurisdiction=custom())
    book.checked = False
    most = "90071992547409.91"
    for _ in range(1024):
        book.when("2025-02-01", receive(most))
    book.when("2025-02-01", receive(most), refused("sum-too-large", measure="executed"))
