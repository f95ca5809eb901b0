"""Commitments: inside the plan, in time for 20 December (I8), changed, cancelled, closed."""

from __future__ import annotations

import pytest

from tests.instruments.asks import (
    NOWHERE,
    PLANNED,
    RUNNING,
    P,
    Q,
    R,
    cancel,
    change,
    pay,
    register,
)
from tests.instruments.harness import OK, accepted, given, refused

LINE = f"line {' / '.join(P)}"
ARCHIVE = {"name": "archive", "recorded_on": "2025-12-20"}
CLOSED = refused("registration-closed", last_day="2025-12-20")


@pytest.mark.parametrize(("ask", "then"), [
    (register("C2", P, 400), accepted("budget.commitment.registered")),
    (register("C2", P, 401), refused(
        "limit-exceeded", ("commitments-plan", LINE, "2025-02-01", 401, 400))),
    (register("C2", (*P, "011"), 401), refused(
        "limit-exceeded", ("commitments-plan", LINE, "2025-02-01", 401, 400))),
    (register("C2", P, 1, effective_from="2025-01-04"), refused(
        "limit-exceeded", ("commitments-plan", LINE, "2025-01-04", 1, 0))),
    (register("C1", P, 1), refused("contract-exists", contract="C1")),
    (register("C2", R, 1), refused("wrong-section")),
    (register("C2", NOWHERE, 1), refused("unknown-line")),
    (register("C2", P, 1, by="akimat"), refused("actor-not-authorized")),
])  # fmt: skip
def test_registering_a_contract(ask, then):
    given(*RUNNING).when("2025-02-01", ask, then)


@pytest.mark.parametrize(("day", "more", "then"), [
    ("2025-12-20", {}, OK),
    ("2025-12-21", {}, CLOSED),
    ("2025-12-21", {"effective_from": "2025-12-20"}, CLOSED),
    ("2025-12-31", {"exception": "reserve"}, OK),
    ("2025-12-31", {"exception": "multi-year"}, OK),
    ("2025-12-31", {"exception": "supplementary"}, OK),
    ("2026-03-01", {"source": ARCHIVE, "effective_from": "2025-12-20",
                    "act_date": "2025-12-20"}, OK),
    ("2026-03-01", {"source": {**ARCHIVE, "recorded_on": "2025-12-21"},
                    "effective_from": "2025-12-20", "act_date": "2025-12-20"}, CLOSED),
])  # fmt: skip
def test_no_registration_after_20_december(day, more, then):
    given(*PLANNED).when(day, register("C1", P, 10, **more), then)


PAID = (*RUNNING, ("2025-02-18", pay(P, 200, "C1")))


@pytest.mark.parametrize(("ask", "then"), [
    (change("C1", 400), accepted("budget.commitment.changed")),
    (change("C1", 401), refused(
        "limit-exceeded", ("commitments-plan", LINE, "2025-03-01", 401, 400))),
    (change("C1", -400), OK),
    (change("C1", -401), refused(
        "limit-exceeded", ("unused-registration", "contract C1", "2025-03-01", 401, 400))),
    (change("C1", -500, effective_from="2025-02-01"), refused(
        "limit-exceeded", ("unused-registration", "contract C1", "2025-02-18", 500, 400))),
    (change("C1", 1, effective_from="2025-03-02"), refused("value-date-in-future")),
    (change("C1", 0), refused("no-change")),
    (change("C9", 1), refused("unknown-contract", contract="C9")),
    (change("C1", 1, reason=None), refused("reason-missing")),
    (cancel("C1"), accepted("budget.commitment.cancelled")),
    (cancel("C9"), refused("unknown-contract")),
    (cancel("C1", effective_from="2025-03-02"), refused("value-date-in-future")),
    (cancel("C1", effective_from="2025-01-15"), refused(
        "limit-exceeded", ("unused-registration", "contract C1", "2025-01-15", 400, 0))),
])  # fmt: skip
def test_changing_and_cancelling_a_contract_of_which_200_are_paid(ask, then):
    given(*PAID).when("2025-03-01", ask, then)


def test_a_supplementary_agreement_is_possible_after_20_december():
    given(*RUNNING).when("2025-12-29", change("C1", 10))


def test_a_cancelled_contract_releases_its_unpaid_rest_and_is_closed():
    book = given(*PAID, ("2025-03-01", cancel("C1")))
    assert book.figure(P, "accepted", "2025-03-01") == 200
    for ask in (pay(P, 1, "C1"), change("C1", 1), cancel("C1")):
        book.when("2025-03-02", ask, refused("contract-closed", contract="C1"))
    book.when("2025-03-02", register("C1", P, 1), refused("contract-exists"))
    book.when("2025-03-02", register("C2", P, 800))


def test_a_paid_contract_has_nothing_to_cancel():
    book = given(*PAID, ("2025-03-01", change("C1", -400)))
    book.when("2025-03-02", cancel("C1"), refused("nothing-to-cancel"))


def test_lines_do_not_share_a_commitments_plan():
    book = given(*RUNNING)
    book.when("2025-02-01", register("C2", Q, 1000))
    book.when("2025-02-01", register("C3", Q, 1), refused("limit-exceeded", (
        "commitments-plan", f"line {' / '.join(Q)}", "2025-02-01", 1, 0)))  # fmt: skip
