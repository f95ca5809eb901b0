"""Opening a budget, and what every command of a budget must fulfil: stage, dates, actor."""

from __future__ import annotations

import pytest

from tests.instruments.asks import (
    APPROVED,
    RUNNING,
    Ask,
    P,
    R,
    adjust,
    amend,
    approve,
    cut,
    open_budget,
    pay,
    receive,
    register,
    reject,
    set_plan,
)
from tests.instruments.harness import OK, accepted, given, refused

DAY = "2024-12-20"


@pytest.mark.parametrize(("ask", "then"), [
    (open_budget(), accepted("budget.opened")),
    (open_budget(level=9), refused("unknown-level", level=9)),
    (open_budget(year=2026), refused("wrong-year", year=2026)),
    (open_budget(year=2026, budget="KZ-2025-x-2026-y"), refused("wrong-year", year=2026)),
    (open_budget(by="akimat"), refused("actor-not-authorized")),
    (open_budget(budget="rulebook"), refused("wrong-stage", stage="rulebook")),
])  # fmt: skip
def test_opening_a_budget(ask, then):
    given().when(DAY, ask, then)


@pytest.mark.parametrize(("history", "ask", "stage"), [
    (0, approve({R: 0}, balance=None), "none"),
    (0, receive(10), "none"),
    (1, receive(10, value_date="2024-12-20"), "opened"),
    (1, amend({R: 0}), "opened"),
    (2, approve({R: 0}), "approved"),
    (2, open_budget(), "approved"),
])  # fmt: skip
def test_a_command_out_of_its_stage_is_refused(history, ask, stage):
    given(*APPROVED[:history]).when("2024-12-26", ask, refused("wrong-stage", stage=stage))


HISTORY = {"name": "archive", "recorded_on": "2025-12-30"}


@pytest.mark.parametrize(("day", "ask", "then"), [
    ("2025-03-01", receive(1, act_date="2025-03-02"), refused("adopted-in-future")),
    ("2025-03-01", receive(1, adopted_on="2025-03-02"), refused("adopted-in-future")),
    ("2025-03-01", receive(1, adopted_on="2025-02-01"), refused("dates-out-of-order")),
    ("2025-03-01", receive(1, value_date="2025-03-02"), refused("value-date-in-future")),
    ("2025-03-01", register("C2", P, 1, effective_from="2025-03-02"),
     refused("value-date-in-future")),
    ("2025-03-01", reject(P, 1, effective_from="2025-03-02"), refused("value-date-in-future")),
    ("2025-03-01", receive(1, value_date="2024-12-31"), refused("outside-fiscal-year")),
    ("2025-03-01", adjust({P: 0}, effective_from="2026-01-01"), refused("outside-fiscal-year")),
    ("2025-03-01", adjust({P: 0}, {"line": list(P)}, plans_effective_from="2031-01-01"),
     refused("outside-fiscal-year")),
    ("2025-12-31", receive(1), OK),
    ("2026-01-01", receive(1, value_date="2025-12-31"), refused("year-closed")),
    ("2026-01-01", receive(1, value_date="2025-12-30", act_date="2025-12-30", source=HISTORY), OK),
    ("2026-01-01", receive(1, value_date="2025-12-31", act_date="2025-12-30", source=HISTORY),
     refused("value-date-in-future", today="2025-12-30")),
    ("2025-12-29", receive(1, source=HISTORY), refused("source-in-future")),
    ("2026-06-01", receive(1, value_date="2025-12-31", act_date="2025-12-30",
                           source={"name": "archive", "recorded_on": "2026-01-02"}),
     refused("year-closed", today="2026-01-02")),
])  # fmt: skip
def test_dates_of_a_command(day, ask, then):
    given(*RUNNING).when(day, ask, then)


@pytest.mark.parametrize("ask", [
    adjust({P: 0}, reason=None), cut({P: 1}, reason=None), amend({P: 1000}, reason=None),
    reject(P, 1, reason=None),
])  # fmt: skip
def test_a_change_without_a_reason_is_refused(ask):
    given(*RUNNING).when("2025-03-01", ask, refused("reason-missing"))


def test_a_day_is_the_day_of_the_jurisdiction():
    """05:00 UTC is 10:00 in Almaty; 20:00 UTC of 31 December is the next year there."""
    book = given(*RUNNING)
    command = book.command("2025-12-31", receive(1))
    assert book.decide("2025-12-31", command).refusal is None
    late = book.command("2025-12-31", receive(1))
    from ledger.dates import from_iso  # noqa: PLC0415 - beside its one use
    from ledger.decision import decide  # noqa: PLC0415

    found = decide({late.budget: book.states[late.budget]}, late, book.rules,
                   from_iso("2025-12-31T20:00:00Z"))  # fmt: skip
    assert found.refusal.code == "year-closed"


AT_LEVEL = [
    # year, level, capacity, command, answer
    (2025, 3, "maslikhat", "amend", OK), (2025, 3, "akimat", "amend", None),
    (2025, 1, "parliament", "amend", OK), (2025, 1, "maslikhat", "amend", None),
    (2025, 1, "government", "adjust", OK), (2025, 3, "akimat", "adjust", OK),
    (2025, 3, "maslikhat", "adjust", None), (2025, 3, "treasury", "adjust", None),
    (2016, 4, "akim", "adjust", None), (2016, 4, "maslikhat", "adjust", None),
    (2025, 4, "akim", "adjust", OK), (2025, 4, "akimat", "adjust", None),
    (2016, 4, "akim", "cut", None), (2025, 4, "akim", "cut", OK),
    (2016, 4, "akim", "plan", None), (2025, 4, "akim", "plan", OK), (2025, 3, "akim", "plan", None),
    (2025, 3, "akimat", "pay", None), (2025, 3, "treasury", "pay", OK),
    (2025, 3, "nobody", "receive", None), (2025, 3, "treasury", "receive", OK),
]  # fmt: skip


@pytest.mark.parametrize(("year", "level", "capacity", "name", "then"), AT_LEVEL)
def test_who_may_do_what_at_which_level_and_when(year, level, capacity, name, then):
    code = f"KZ-{year}-test"
    law = "parliament" if level == 1 else "maslikhat"
    book = given((f"{year}-01-01", open_budget(level, year, budget=code)),
                 (f"{year}-01-01", approve({R: 100, P: 100}, by=law, budget=code,
                                           effective_from=f"{year}-01-01")))  # fmt: skip
    plan = {"line": list(P), "payments": [{"month": f"{year}-01", "amount": "5"}]}
    asks = {
        "amend": amend({P: 100}, effective_from=f"{year}-01-01"), "adjust": adjust({P: 0}),
        "cut": cut({P: 1}), "plan": set_plan(plan), "receive": receive(10),
    }  # fmt: skip
    if name == "pay":
        for step in (receive(10), set_plan(plan)):
            book.when(f"{year}-02-01", with_budget(step, code))
        asks["pay"] = pay(P, 1)
    ask = with_budget(asks[name], code, by=capacity)
    book.when(f"{year}-02-01", ask, then or refused("actor-not-authorized", level=level))


def with_budget(ask: Ask, code: str, **more) -> Ask:
    return Ask(ask.name, ask.by, {**ask.fields, "budget": code, **more}, dated=ask.dated)
