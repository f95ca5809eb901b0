"""Sequestration and exempt lists: I10 untouched, I11 under 10 %, I12 never below what is paid."""

from __future__ import annotations

import pytest

from tests.instruments.asks import (
    APPROVED,
    NOWHERE,
    RUNNING,
    YEAR,
    Ask,
    P,
    Q,
    R,
    amend,
    approve,
    change_plan,
    cut,
    exempt_list,
    open_budget,
    pay,
    plan_of,
    resolve,
    set_plan,
)
from tests.instruments.harness import OK, accepted, given, kazakhstan, refused
from tests.instruments.test_opening import with_budget

ABOVE = refused("sequestration-needs-legislature", base_minor=200_000, limit_bps=1000)
LAW = {"by": "maslikhat"}

# P 1000 and Q 1000, nothing exempt: the executive stays under 200.
THRESHOLD = [
    ("under ten per cent", [(cut({P: "199.99"}), OK)]),
    ("9.99 per cent", [(cut({P: "199.80"}), OK)]),
    ("exactly ten per cent", [(cut({P: 200}), ABOVE)]),
    ("above ten per cent", [(cut({P: 201}), ABOVE)]),
    ("exactly ten per cent by the legislature", [(cut({P: 200}, **LAW), OK)]),
    ("half by the legislature", [(cut({P: 900, Q: 100}, **LAW), OK)]),
    ("cumulative in the year", [(cut({P: 100}), OK), (cut({Q: 99}), OK),
                                (cut({P: 1}), refused("sequestration-needs-legislature",
                                                      cumulative_minor=20_000)),
                                (cut({P: 1}, **LAW), OK)]),
    ("a refused cut does not count", [(cut({P: 200}), ABOVE), (cut({P: 199}), OK)]),
    ("over several lines", [(cut({P: 100, Q: 100}), ABOVE), (cut({P: 100, Q: 99}), OK)]),
]  # fmt: skip


@pytest.mark.parametrize("steps", [row[1] for row in THRESHOLD], ids=[row[0] for row in THRESHOLD])
def test_who_may_cut_how_much(steps):
    book = given(*APPROVED)
    for number, (ask, then) in enumerate(steps, start=1):
        book.when(f"2025-06-{number:02}", ask, then)


def test_the_base_is_the_amended_budget():
    book = given(*APPROVED, ("2025-03-01", amend({R: 3000, P: 2000})))
    book.when("2025-06-01", cut({P: 300}), refused("sequestration-needs-legislature"))
    book.when("2025-06-01", cut({P: 299}))


SUB = (*P, "142")


@pytest.mark.parametrize(("exempt", "ask", "then"), [
    (P, cut({P: 1}), refused("line-exempt", line=" / ".join(P))),
    (SUB, cut({P: 1}), refused("line-exempt")),
    (P[:3], cut({P: 1}), refused("line-exempt")),
    (P[:2], cut({P: 1}, **LAW), refused("line-exempt")),
    (SUB, cut({Q: 99}), OK),
    (SUB, cut({Q: 100}), refused("sequestration-needs-legislature", base_minor=100_000)),
    (SUB, cut({Q: 500}, **LAW), OK),
    (SUB, cut({Q: 10, P: 1}), refused("line-exempt")),
])  # fmt: skip
def test_an_exempt_line_is_not_cut_and_does_not_count(exempt, ask, then):
    book = given(*APPROVED)
    book.when("2025-01-15", exempt_list({"line": list(exempt), "name": "pensions"}),
              accepted("budget.exempt_list.set"))  # fmt: skip
    book.when("2025-06-01", ask, then)


def test_an_exempt_subprogramme_with_an_amount_of_its_own_protects_itself_only():
    other = (*P, "143")
    book = given(APPROVED[0], ("2024-12-24", approve({R: 1000, SUB: 500, other: 500})),
                 ("2025-01-15", exempt_list({"line": list(SUB)})))  # fmt: skip
    book.when("2025-06-01", cut({SUB: 1}), refused("line-exempt"))
    book.when("2025-06-01", cut({other: 49}))
    book.when("2025-06-02", cut({other: 1}), refused("sequestration-needs-legislature",
                                                     base_minor=50_000))  # fmt: skip


NAME = "Пропаганда здорового образа жизни"


def test_a_name_protects_nothing_until_it_is_resolved():
    book = given(*APPROVED, ("2025-01-15", exempt_list({"name": NAME})))
    book.when("2025-06-01", cut({P: 1}))
    book.when("2025-06-02", resolve("another name", P), refused("unknown-exempt-name"))
    book.when("2025-06-02", resolve(NAME, NOWHERE[:2], by="akimat"),
              refused("actor-not-authorized"))  # fmt: skip
    book.when("2025-06-02", resolve(NAME, P), accepted("budget.exempt_name.resolved"))
    book.when("2025-06-03", cut({P: 1}), refused("line-exempt"))


@pytest.mark.parametrize(("day", "then"), [
    ("2025-02-28", OK), ("2025-03-01", refused("line-exempt")),
    ("2025-09-30", refused("line-exempt")), ("2025-10-01", OK),
])  # fmt: skip
def test_a_list_holds_between_its_days(day, then):
    dated = exempt_list({"line": list(P)}, effective_from="2025-03-01",
                        effective_until="2025-09-30")  # fmt: skip
    book = given(*APPROVED, ("2025-01-15", dated))
    book.when("2025-12-01", cut({P: 1}, effective_from=day), then)


@pytest.mark.parametrize(("levels", "then"), [
    ([], refused("line-exempt")), ([2, 3], refused("line-exempt")), ([2, 4], OK),
])  # fmt: skip
def test_the_laws_list_holds_at_its_levels(levels, then):
    law = exempt_list({"line": list(P)}, budget="rulebook", by="parliament", levels=levels)
    given(*APPROVED, ("2025-01-02", law)).when("2025-06-01", cut({P: 1}), then)


@pytest.mark.parametrize(("ask", "then"), [
    (exempt_list(), refused("empty-document")),
    (exempt_list({}), refused("empty-document")),
    (exempt_list({"sector": "health"}), refused("empty-document")),
    (exempt_list({"name": NAME}, levels=[3]), refused("wrong-level")),
    (exempt_list({"line": ["expenditure", "1"]}), refused("unknown-code")),
    (exempt_list({"name": NAME}, effective_until="2024-12-31"), refused("dates-out-of-order")),
    (exempt_list({"name": NAME}, by="akimat"), refused("actor-not-authorized")),
    (exempt_list({"name": NAME}, effective_from="2026-01-01"), refused("outside-fiscal-year")),
])  # fmt: skip
def test_an_exempt_list_is_refused(ask, then):
    given(*APPROVED).when("2025-01-15", ask, then)


def test_a_resolution_that_ends_before_it_starts_is_refused():
    book = given(*APPROVED, ("2025-01-15", exempt_list({"name": NAME})))
    book.when("2025-01-16", resolve(NAME, P, effective_until="2024-12-31"),
              refused("dates-out-of-order"))  # fmt: skip


def test_programmes_of_exempt_administrators_are_exempt():
    """S2 A146: where the policy names administrators, their programmes are not cut."""
    policy = {"policy": "exempt-administrators", "value": ["101"], "since": "2004-01-01"}
    document = {**kazakhstan(), "policies": [*kazakhstan()["policies"], policy]}
    book = given(*APPROVED, jurisdiction=document)
    book.when("2025-06-01", cut({P: 1}), refused("line-exempt"))
    book.when("2025-06-01", cut({Q: 99}))


LINE = f"line {' / '.join(P)}"
PAID = (*RUNNING, ("2025-02-18", pay(P, 200, "C1")))


@pytest.mark.parametrize(("ask", "then"), [
    (cut({}), refused("empty-document")),
    (Ask("SequesterBudget", "akimat", {"reason": "x", "lines": [
        {"line": list(P), "amount": "1"}, {"line": list(P), "amount": "2"}]}),
     refused("duplicate-line")),
    (cut({NOWHERE: 1}), refused("unknown-line")),
    (cut({R: 1}), refused("wrong-section")),
    (cut({P: 10}), refused("limit-exceeded", ("appropriation", LINE, "2025-10-01", 10, 0),
                           ("appropriation", LINE, "2025-06-01", 10, 0))),
    (cut({(*P, "011"): 1}, plan_of(P, commitments={6: -1}, payments={6: -1})),
     refused("limit-exceeded", ("figure-below-zero", f"{LINE} / 011", "2025-06-01", 1, 0))),
    (cut({P: 100}, plan_of(P, commitments={6: -100}, payments={10: -100})), OK),
    # 450 off: 600 are committed.
    (cut({P: 450}, plan_of(P, commitments={6: -450}, payments={7: -250, 10: -200}), **LAW),
     refused("limit-exceeded", ("commitments-plan", LINE, "2025-06-01", 450, 400))),
])  # fmt: skip
def test_a_cut_of_a_running_budget(ask, then):
    given(*PAID).when("2025-06-01", ask, then)


def test_a_cut_never_goes_below_what_is_paid():
    """Without a contract: 200 of 1000 are paid, 800 may go, 801 may not."""
    book = given(*APPROVED, ("2025-01-05", set_plan(plan_of(P, payments=YEAR))), *RUNNING[3:4])
    book.when("2025-02-18", pay(P, 200))
    off = {4: -250, 7: -250, 10: -250}
    book.when("2025-06-01", change_plan(plan_of(P, payments=off)))
    for amount, january in ((801, 51), (800, 50)):
        ask = cut({P: amount}, plan_of(P, payments={1: -january}), by="maslikhat")
        book.when("2025-06-01", ask, OK if amount == 800 else refused(
            "limit-exceeded", ("payments-plan", LINE, "2025-06-01", 51, 50),
            ("appropriation", LINE, "2025-06-01", 801, 800)))  # fmt: skip
    assert book.figure(P, "adjusted", "2025-06-01") == 200


def test_a_rural_budget_of_2016_is_never_cut():
    code = "KZ-2016-rural-7"
    lines = approve({R: 100, P: 100}, effective_from="2016-01-01")
    book = given(("2016-01-01", open_budget(4, 2016, budget=code)),
                 ("2016-01-01", with_budget(lines, code)))  # fmt: skip
    for capacity in ("akim", "akimat", "maslikhat"):
        book.when("2016-06-01", with_budget(cut({P: 1}), code, by=capacity),
                  refused("actor-not-authorized", action="sequester", level=4))  # fmt: skip
