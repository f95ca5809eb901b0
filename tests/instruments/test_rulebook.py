"""The rulebook: jurisdictions that would break later decisions are refused; dated code lists."""

from __future__ import annotations

from copy import deepcopy

import pytest

from ledger.errors import Invalid
from tests.instruments.asks import (
    APPROVED,
    Ask,
    P,
    Q,
    approve,
    classifier,
    open_budget,
    receive,
    register,
    set_plan,
)
from tests.instruments.harness import Book, accepted, given, kazakhstan, refused


def adopt(**changes):
    return Ask("AdoptJurisdiction", "treasury",
               {"jurisdiction": {**deepcopy(kazakhstan()), **changes}}, "rulebook")  # fmt: skip


CONTROL = {"control": "cash", "since": "2004-01-01"}
POLICY = {"policy": "registration-closes", "since": "2004-01-01"}


@pytest.mark.parametrize("changes", [
    {"timezone": "Asia/Nowhere"}, {"timezone": ""}, {"year_starts": "02-29"},
    {"year_starts": "1 January"}, {"currency": None}, {"unknown": "field"},
    {"sections": [kazakhstan()["sections"][0]] * 2},
    {"sections": [{**kazakhstan()["sections"][0], "side": "both"}]},
    {"controls": [{**CONTROL, "mode": "Stop"}]},
    {"controls": [{**CONTROL, "mode": "stop", "tolerance_minor": -1}]},
    {"policies": [{**POLICY, "value": "20 December"}]}, {"policies": [{**POLICY, "value": 20}]},
    {"policies": [{**POLICY, "policy": "reallocation-max-bps", "value": "15"}]},
    {"policies": [{**POLICY, "policy": "lines-opened-by", "value": "receive"}]},
    {"policies": [{**POLICY, "policy": "approval-required", "value": "maybe"}]},
], ids=str)  # fmt: skip
def test_a_jurisdiction_that_would_break_later_decisions_is_refused(changes):
    book = given(*APPROVED)
    book.when("2025-01-02", adopt(**changes), refused("invalid-jurisdiction"))
    book.when("2025-01-10", receive(1))


@pytest.mark.parametrize("wrong", [0.5, 2**60, float("nan"), "\x00", "\ud800", [[[[[[[[[]]]]]]]]]])
def test_a_jurisdiction_without_a_canonical_form_cannot_be_read(wrong):
    with pytest.raises(Invalid):
        Book({"code": "KZ", "minor_digits": wrong})


def test_a_later_jurisdiction_holds_for_later_decisions():
    book = given(*APPROVED)
    rules = [r for r in kazakhstan()["authority"] if r["action"] != "receive"]
    book.when("2025-01-02", adopt(authority=rules), accepted("rulebook.jurisdiction.adopted"))
    decision = book.when("2025-01-10", receive(1), refused("actor-not-authorized"))
    assert decision.events[0].rules_at == 2


def test_a_ledger_keeps_its_currency():
    given().when("2025-01-01", adopt(currency="USD"), refused("currency-fixed"))


def test_a_ledger_without_jurisdiction_only_adopts_one():
    Book({}).when("2025-01-01", classifier("early", "2025-01-01", {("revenue", "1"): "taxes"}),
                  refused("no-jurisdiction"))  # fmt: skip


def test_who_keeps_the_rules():
    ask = classifier("x", "2025-01-01", CODES, by="akimat")
    given().when("2025-01-01", ask, refused("actor-not-authorized"))


CODES = {("revenue", "4"): "transfers", ("revenue", "5"): "repayment"}
RECEIPTS = [
    ("2024-12-01", classifier("receipts 2025", "2025-01-01", CODES, effective_until="2025-12-31")),
    ("2025-12-01", classifier("receipts 2026", "2026-01-01", {
        ("revenue", "4"): "special receipts", ("revenue", "5"): "transfers",
        ("revenue", "6"): "repayment"})),
]  # fmt: skip


@pytest.mark.parametrize(("year", "on", "code", "then", "meaning"), [
    (2025, "2025-06-01", "4", accepted(), "transfers"),
    (2026, "2026-06-01", "4", accepted(), "special receipts"),
    (2025, "2025-06-01", "5", accepted(), "repayment"),
    (2026, "2026-06-01", "5", accepted(), "transfers"),
    (2026, "2026-06-01", "6", accepted(), "repayment"),
    (2025, "2025-06-01", "6", refused("code-not-in-force", classifier="receipts 2025"), None),
    (2026, "2026-06-01", "9", refused("unknown-code", classifier="receipts 2026"), None),
])  # fmt: skip
def test_a_receipts_category_means_what_its_day_says(year, on, code, then, meaning):
    book = given(*RECEIPTS, ("2026-01-01", open_budget(year=year, budget=f"KZ-{year}-x")))
    ask = receive(10, ("revenue", code), budget=f"KZ-{year}-x")
    source = {"name": "treasury", "recorded_on": on}
    first = f"{year}-01-01"
    book.when("2026-01-01", approve(
        {("revenue", "4"): 0}, balance=None, budget=f"KZ-{year}-x", effective_from=first,
        act_date=first, source={"name": "old", "recorded_on": first}))  # fmt: skip
    book.when("2026-07-01", Ask(ask.name, ask.by, {**ask.fields, "value_date": on,
              "act_date": on, "source": source}, dated=()), then)  # fmt: skip
    day = book.events[-1].movement().effective_from
    assert book.rules.classification.title(("revenue", code), day) == meaning


def test_correcting_an_older_list_does_not_displace_the_newer_one():
    book = given(*RECEIPTS, ("2026-02-01", classifier("receipts 2025 corrected", "2025-01-01",
                                                      {("revenue", "1"): "taxes"})))  # fmt: skip
    day = book.events[-1].movement().effective_from
    titles = book.rules.classification
    assert titles.title(("revenue", "4"), day.replace(year=2026)) == "special receipts"
    assert titles.title(("revenue", "1"), day.replace(year=2026)) is None


@pytest.mark.parametrize(("ask", "then"), [
    (classifier("none", "2025-01-01", {}), refused("empty-document")),
    (classifier("bad", "2025-01-01", {("wages", "1"): "x"}), refused("unknown-section")),
    (classifier("back", "2025-01-01", CODES, effective_until="2024-12-31"),
     refused("dates-out-of-order")),
    (Ask("PublishClassifier", "treasury", {"title": "twice", "codes": [
        {"line": ["revenue", "1"], "title": "a"}, {"line": ["revenue", "1"], "title": "b"}]},
        "rulebook"), refused("duplicate-line")),
    (Ask("PublishClassifier", "treasury", {"title": "here", "codes": []}), refused("wrong-stage")),
])  # fmt: skip
def test_a_classifier_version_is_refused(ask, then):
    given(*APPROVED).when("2025-01-01", ask, then)


@pytest.mark.parametrize(("line", "then"), [
    (("wages", "1"), refused("unknown-section", section="wages")),
    (("expenditure", "1"), refused("unknown-code")),
    (("expenditure", "001"), refused("unknown-code")),
    (("expenditure", "٠١"), refused("unknown-code")),
    ((*P, "001", "111", "1"), refused("unknown-code")),
    (("expenditure", "09"), refused("unknown-line")),
    (P[:2], refused("unknown-line", line="expenditure / 01")),
])  # fmt: skip
def test_a_line_that_is_no_code_of_the_budget_is_refused(line, then):
    given(*APPROVED).when("2025-01-10", register("C1", line, 10), then)


def test_lines_inside_plans_are_checked_too():
    plan = {"line": ["expenditure", "XX"], "payments": [{"month": "2025-01", "amount": "1"}]}
    given(*APPROVED).when("2025-01-10", set_plan(plan), refused("unknown-code"))


def test_one_expired_spending_code_does_not_touch_the_others():
    book = given(*APPROVED)
    book.when("2025-02-01", classifier("programmes", "2025-02-01", {P: "goes on"}))
    book.when("2025-02-02", set_plan({"line": list(Q)}), refused("unknown-code"))
    book.when("2025-02-02", set_plan({"line": list(P)}))
