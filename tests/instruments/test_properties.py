"""Random sequences of commands keep every invariant at every prefix (checked by the harness)."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.instruments import asks
from tests.instruments.asks import APPROVED, NOWHERE, Ask, P, Q, R, plan_of
from tests.instruments.harness import Book
from tests.instruments.harness import given as history
from tests.instruments.test_controls import custom

LINES = (P, Q, (*P, "011"), (*P, "015"), P[:2], ("expenditure",), NOWHERE)
CONTRACTS = ("C1", "C2")
line = st.sampled_from(LINES)
contract = st.sampled_from(CONTRACTS)
some = st.sampled_from((1, 7, 50, 100, 250, 400, 1000))
signed = st.sampled_from((-1000, -250, -100, -7, 7, 100, 250))
month = st.integers(1, 12)
by_month = st.dictionaries(month, some, min_size=1, max_size=3)
changes = st.dictionaries(month, signed, min_size=1, max_size=3)


@st.composite
def amended(draw):
    p, q = draw(some), draw(some)
    plans = draw(st.just([]) | changes.map(lambda by: [plan_of(P, payments=by, commitments=by)]))
    since = draw(st.sampled_from(("2025-01-01", "2025-04-01")))
    return asks.amend({R: p + q, P: p, Q: q}, plans=plans, effective_from=since)


@st.composite
def adjusted(draw):
    by, months = draw(st.sampled_from((7, 50, 150))), draw(changes)
    giver, taker = draw(st.permutations((P, Q)))
    plans = draw(st.sampled_from(([], [plan_of(giver, payments=months, commitments=months)])))
    return asks.adjust({giver: -by, taker: by}, *plans)


@st.composite
def sequestered(draw):
    by, months = draw(some), draw(changes)
    who = draw(st.sampled_from(("akimat", "maslikhat")))
    plans = draw(st.sampled_from(([], [plan_of(P, payments=months, commitments=months)])))
    return asks.cut({P: by}, *plans, by=who)


@st.composite
def set_plans(draw):
    kinds = draw(st.sampled_from((("payments",), ("commitments",), ("payments", "commitments"))))
    plan = {kind: draw(by_month) for kind in kinds}
    return asks.set_plan(plan_of(draw(st.sampled_from((P, Q, (*P, "011")))), **plan))


STEP = st.one_of(
    st.builds(asks.receive, some), st.builds(asks.refund, some),
    st.builds(asks.register, contract, line, some), st.builds(asks.change, contract, signed),
    st.builds(asks.cancel, contract), st.builds(asks.pay, line, some, st.none() | contract),
    st.builds(asks.pay, st.just(P), some, st.none() | contract),
    set_plans(), st.builds(lambda by: asks.change_plan(plan_of(P, payments=by)), changes),
    st.builds(lambda by: asks.set_plan(plan_of(R, receipts=by)), by_month),
    amended(), adjusted(), sequestered(),
    st.builds(lambda amount, n: (amount, n), some, st.integers(0, 3)),
)  # fmt: skip
START = (
    ("2025-01-02", asks.receive(400)),
    ("2025-01-03", asks.set_plan(plan_of(P, payments={1: 250, 4: 250}, commitments={1: 500}))),
    ("2025-01-04", asks.register("C1", P, 300)),
)
SEQUENCE = st.lists(
    st.tuples(STEP, st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=14
)
BOUNDED = settings(max_examples=100, derandomize=True, deadline=None,
                   suppress_health_check=[HealthCheck.too_slow])  # fmt: skip


def post(book: Book, steps, say=note) -> int:
    """Post steps on later and later days, each some days backdated; return how many passed."""
    today, passed, paid = date(2025, 1, 5), 0, []
    for step, days, back in steps:
        today = min(today + timedelta(days=days), date(2025, 12, 31))
        ask = step
        if isinstance(step, tuple):
            if not paid:
                continue
            ask = asks.give_back("ReturnPayment", paid[step[1] % len(paid)], step[0])
        effective = max(today - timedelta(days=back), date(2025, 1, 1)).isoformat()
        dated = {name: ask.fields.get(name, effective) for name in ask.dated}
        ask = Ask(ask.name, ask.by, {**ask.fields, **dated}, dated=ask.dated)
        decision = book.decide(today.isoformat(), book.command(today.isoformat(), ask))
        say(f"{today} {ask.name} {decision.refusal.code if decision.refusal else 'accepted'}")
        if decision.refusal is None:
            passed += 1
            if ask.name == "ExecutePayment":
                paid.append(decision.command.command_id)
    return passed


@given(SEQUENCE)
@BOUNDED
def test_no_sequence_of_commands_breaks_an_invariant(steps):
    post(history(*APPROVED, *START), steps)


OPEN = dict.fromkeys(
    ("cash", "payments_plan", "unused_registration", "commitments_plan", "appropriation"), "warn"
)


@given(SEQUENCE)
@settings(BOUNDED, max_examples=50)
def test_with_controls_that_warn_cells_are_still_the_sums_of_movements(steps):
    document = custom(**OPEN)
    document["policies"].append({"policy": "lines-opened-by", "since": "2010-01-01",
                                 "value": ["pay", "commit", "receive", "plan"]})  # fmt: skip
    post(history(*APPROVED, *START, jurisdiction=document), steps)


def test_the_random_sequences_are_not_all_refused():
    steps = [(asks.pay(P, 50, "C1"), 1, 0), (asks.receive(7), 1, 30), ((50, 0), 5, 0),
             (asks.pay(NOWHERE, 1), 1, 0)]  # fmt: skip
    assert post(history(*APPROVED, *START), steps, say=str) == 3
