"""The product's pure decider and the oracle, fed the same random commands, must say the same.

A step is a command's name and a seed of its numbers, so that Hypothesis can drop steps but the
numbers stay well mixed; it becomes a command on the day that the steps before it reached.
"""

from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import ledger.instruments  # noqa: F401 - declares every command and event
from ledger.cells import BudgetState
from ledger.dates import from_iso
from ledger.decision import decide
from ledger.events import Movement, log_id, read_command
from ledger.jurisdiction import read_jurisdiction
from ledger.rules import Rules
from tests.instruments.deck import (
    CARDS,
    KINDS,
    LAW,
    LINES,
    Q1,
    Q2,
    R2,
    Deck,
    P,
    R,
    S,
    agree,
    plan,
)
from tests.oracle.oracle import Oracle

ZONE = ZoneInfo("Asia/Almaty")
BUDGETS = {"KZ-2025-oblast-1": 2, "KZ-2025-rayon-1": 3, "KZ-2025-rural-1": 4}
STEPS = st.lists(
    st.tuples(st.sampled_from(CARDS), st.integers(0, 2**32 - 1)), min_size=20, max_size=35
)  # fmt: skip
QUESTIONS = st.lists(st.tuples(*[st.integers(0, 999)] * 5), min_size=4, max_size=4)


class Known(BudgetState):
    """All cells of a budget are in memory."""

    def absent(self, _key: Any) -> Any:
        return None


class Duel:
    """Both sides, fed the same commands."""

    def __init__(self) -> None:
        self.rules = Rules(position=1, adopted=read_jurisdiction(LAW))
        self.states: dict[str, Known] = {}
        self.oracle = Oracle(LAW)
        self.deck = Deck(self.oracle, BUDGETS)
        self.moved: list[tuple[str, Movement, int]] = []
        self.verdicts: Counter[tuple[str, str]] = Counter()
        for document in self.deck.founding({}):
            self.post(document)
        assert {said for _, said in self.verdicts} == {"accepted"}
        self.verdicts.clear()

    def post(self, document: dict[str, Any]) -> None:
        """Send one command to both and compare the verdicts."""
        count = self.deck.count
        moment = datetime.combine(self.deck.day, time(9, 0, count % 60, count), ZONE)
        command = read_command(document, digits=2)
        states = {code: self.states.setdefault(code, Known(code, 0, log_id(code)))
                  for code in command.budgets()}  # fmt: skip
        decision = decide(states, command, self.rules, from_iso(moment.isoformat()))
        verdict = said, _ = self.oracle.post(document, moment.isoformat())
        for code, overlay in decision.overlays.items():
            self.states[code].take(overlay)
        for event in decision.events:
            self.states[event.originator_id].position = event.originator_version
            if not decision.refusal:
                self.moved.append((event.originator_id, event.movement(), count))
        refusal = decision.refusal
        same = agree(verdict, refusal.code if refusal else None)
        assert same, (document, str(self.deck.day), verdict, refusal)
        self.deck.learn(document, said)
        self.verdicts[document["command"], said] += 1

    def compare(self, question: tuple[int, ...]) -> None:
        """Ask both sides one report of one budget at random dates."""
        a, b, c, d, e = question
        budget = [*BUDGETS][a % 3]
        effective = date(2025, 1, 1) + timedelta(days=b % 365)
        adopted = None if c % 3 == 0 else date(2024, 12, 20) + timedelta(days=c % 380)
        known = None if d % 3 == 0 else 1 + d % self.deck.count
        prefix, depth = LINES[e % len(LINES)][: e % 4], 1 + e % 6
        wanted: dict[Any, Counter[str]] = {}
        for code, move, number in self.moved:
            line = move.line
            if (
                code != budget
                or line is None
                or line[: len(prefix)] != prefix
                or (
                    move.effective_from > effective
                    or (adopted and move.adopted_on > adopted)
                    or (known and number > known)
                    or not move.amounts
                )
            ):
                continue
            row = wanted.setdefault(line[:depth], Counter())
            for measure, amount in move.amounts.items():
                name = measure.replace("plan_receipts", "plan_payments")
                if not measure.startswith("plan_"):
                    row[measure] += amount
                else:
                    row[f"{name}_year"] += amount
                    row[name] += amount if move.counts_from <= effective else 0
                if measure in ("accepted", "executed") and move.contract:
                    row["unpaid"] += amount if measure == "accepted" else -amount
        found = self.oracle.report(budget, str(effective), str(adopted) if adopted else None,
                                   known=known, prefix=prefix, depth=depth)  # fmt: skip
        names = {n for row in found.values() for n in row}
        assert found == {line: {n: row[n] for n in names} for line, row in sorted(wanted.items())}


DIFF = Counter()
SEEN: Counter[tuple[str, str]] = Counter()


@seed(20250315)
@settings(max_examples=150, deadline=None, database=None,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(steps=STEPS, questions=QUESTIONS)
def test_decider_and_oracle_agree(steps: list[Any], questions: list[tuple[int, ...]]) -> None:
    duel = Duel()
    for name, number in steps:
        duel.post(duel.deck.deal(name, number))
    for question in questions:
        duel.compare(question)
    SEEN.update(duel.verdicts)


def test_both_verdicts_were_frequent() -> None:
    """Every command of the deck was accepted and refused in the run above."""
    assert {(name, said) for name in KINDS for said in ("accepted", "refused")} <= set(SEEN)
    accepted = sum(count for (_, said), count in SEEN.items() if said == "accepted")
    assert 0.25 < accepted / SEEN.total() < 0.75


PAID = "00000000-0000-0000-0000-0000000f0009"
SETTLED = {
    "a plan of receipts falls below zero": [
        ("2025-02-01", "ChangePlan", "treasury", {
            "effective_from": "2025-02-01", "lines": [plan(R2, -100, 3, ["receipts"])]})],
    "a whole plan from an earlier day lowers a month": [
        ("2025-02-01", "SetPlan", "treasury", {
            "effective_from": "2025-01-01", "lines": [plan(P, 1, 1, ["payments"])]})],
    "a whole plan from an earlier day raises a month": [
        ("2025-02-01", "SetPlan", "treasury", {
            "effective_from": "2025-01-01", "lines": [plan(P, 500, 1, ["payments"])]})],
    "26 % move between two subprogrammes of one programme": [
        ("2025-02-01", "AdjustBudget", "akimat", {
            "effective_from": "2025-02-01", "lines": [{"line": [*Q2], "change": "-390"},
                                                      {"line": [*Q1], "change": "390"}]})],
    "an adjustment by transfer changes the balance": [
        ("2025-02-01", "AdjustBudget", "akimat", {
            "effective_from": "2025-02-01", "basis": "transfer",
            "lines": [{"line": [*P], "change": "1"}]})],
    "an adjustment takes a line of receipts below zero": [
        ("2025-02-01", "AdjustBudget", "akimat", {
            "effective_from": "2025-02-01", "basis": "transfer",
            "lines": [{"line": [*R2], "change": "-1100"}, {"line": [*Q1], "change": "-600"},
                      {"line": [*S], "change": "-500"}]})],
    "a plan of receipts that starts after the plan of payments": [
        ("2025-02-01", "SetPlan", "treasury", {"budget": "KZ-2025-rayon-1",
            "effective_from": "2025-02-01", "lines": [plan(R, 1600, 8, ["receipts"])]})],
    "a special account is credited before its first day": [
        ("2025-03-01", "OpenSpecialAccount", "treasury", {
            "account": "A9", "purpose": "own", "owner": "o-1", "effective_from": "2025-03-01"}),
        ("2025-03-01", "CreditSpecialAccount", "treasury", {
            "account": "A9", "amount": "5", "value_date": "2025-01-10"})],
    "money that comes back to a cancelled contract is cancelled too, once": [
        ("2025-02-01", "RegisterCommitment", "treasury", {
            "contract": "C9", "line": [*P], "amount": "9", "effective_from": "2025-02-01"}),
        ("2025-02-01", "ExecutePayment", "treasury", {
            "command_id": PAID, "contract": "C9", "line": [*P], "amount": "5",
            "value_date": "2025-02-01"}),
        ("2025-02-02", "CancelCommitment", "treasury", {
            "contract": "C9", "effective_from": "2025-02-02"}),
        ("2025-02-03", "CancelCommitment", "treasury", {
            "contract": "C9", "effective_from": "2025-02-03"}),
        ("2025-02-03", "RecoverCashExpenditure", "treasury", {
            "payment": PAID, "amount": "2", "value_date": "2025-02-03"}),
        ("2025-02-04", "CancelCommitment", "treasury", {
            "contract": "C9", "effective_from": "2025-02-04"}),
        ("2025-02-05", "CancelCommitment", "treasury", {
            "contract": "C9", "effective_from": "2025-02-05"})],
}  # fmt: skip
EXPECTED = {
    "money that comes back to a cancelled contract is cancelled too, once": Counter({
        ("RegisterCommitment", "accepted"): 1, ("ExecutePayment", "accepted"): 1,
        ("CancelCommitment", "accepted"): 2, ("CancelCommitment", "refused"): 2,
        ("RecoverCashExpenditure", "accepted"): 1,
    }),
}  # fmt: skip
"""The verdicts of both, where a scenario is only worth something with them."""


@pytest.mark.parametrize("name", SETTLED)
def test_a_rule_that_was_disputed_once_is_settled(name: str) -> None:
    duel = Duel()
    for day, command, capacity, fields in SETTLED[name]:
        duel.deck.day = date.fromisoformat(day)
        asked = {"budget": "KZ-2025-oblast-1", **fields}
        duel.post(duel.deck.document(command, capacity=capacity, **asked))
    assert duel.verdicts == EXPECTED.get(name, duel.verdicts)
    for day in range(0, 365, 3):
        duel.compare((0, day, 0, 0, 5))
