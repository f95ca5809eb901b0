"""The product's pure decider and the oracle, fed the same random commands, must say the same.

A step is a command's name and a seed of its numbers, so that Hypothesis can drop steps but the
numbers stay well mixed; it becomes a command on the day that the steps before it reached.
"""

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID
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
from tests.oracle.oracle import Oracle

LAW = tomllib.loads((Path(__file__).parents[2] / "deploy/jurisdictions/kz.toml").read_text("utf-8"))
ZONE = ZoneInfo("Asia/Almaty")
BUDGETS = {"KZ-2025-oblast-1": 2, "KZ-2025-rayon-1": 3, "KZ-2025-rural-1": 4}
YEAR_END = date(2025, 12, 31)
R, R2 = ("revenue", "1"), ("revenue", "2", "01")
P = ("expenditure", "04", "464", "003")
Q1, Q2 = (*P[:3], "005", "011"), (*P[:3], "005", "015")
S, L = ("expenditure", "07"), ("budget_credit", "10")
FIGURES = {R: 3000, R2: 1000, P: 1000, Q1: 1000, Q2: 500, S: 1000, L: 500}
SPENDING = [P, Q1, Q2, S, L, (*P, "011"), (*P, "011", "159"), P[:2], Q1[:4], (*S, "458"), P[:1]]
LINES = [*SPENDING, P, Q1, S, R, R2, (*R, "01"), ("expenditure", "09")]
AMOUNTS = [100, 1, 50, 99.99, 149.99, 150, 150.01, 200, 250, 390, 20, 5, 1000, 1600]
COLUMNS = ("approved", "amended", "adjusted", "accepted", "executed")
KINDS = {
    "SetPlan": 3, "ChangePlan": 3, "CreditReceipt": 4, "RefundReceipt": 1, "RegisterCommitment": 4,
    "ChangeCommitment": 2, "CancelCommitment": 1, "ExecutePayment": 7, "ReturnPayment": 1,
    "RecoverCashExpenditure": 1, "AdjustBudget": 3, "AmendBudget": 3, "SequesterBudget": 2,
    "SendTransfer": 2, "OpenSpecialAccount": 1, "CreditSpecialAccount": 1,
    "DebitSpecialAccount": 1, "CloseSpecialAccount": 1, "RejectPayment": 1, "SetExemptList": 1,
}  # fmt: skip
DECK = [name for name, weight in KINDS.items() for _ in range(weight)]
STEPS = st.lists(
    st.tuples(st.sampled_from(DECK), st.integers(0, 2**32 - 1)), min_size=20, max_size=35
)  # fmt: skip
QUESTIONS = st.lists(st.tuples(*[st.integers(0, 999)] * 5), min_size=4, max_size=4)


class Known(BudgetState):
    """All cells of a budget are in memory."""

    def get(self, key: Any) -> Any:
        return self.cells.get(key)


class Duel:
    """Both sides, fed the same commands."""

    def __init__(self) -> None:
        self.rules = Rules(position=1, adopted=read_jurisdiction(LAW))
        self.states = {code: Known(code, 0, log_id(code)) for code in BUDGETS}
        self.oracle = Oracle(LAW)
        self.moved: list[tuple[str, Movement, str, int]] = []
        self.day = date(2024, 12, 24)
        self.count = 0
        self.payments: list[tuple[str, str]] = []
        self.contracts: list[tuple[str, str, list[str]]] = []
        self.verdicts: Counter[tuple[str, str]] = Counter()
        for code, level in BUDGETS.items():
            self.post("OpenBudget", code, "treasury", region=1, level=level, year=2025, title="b")
            lines = [{"line": [*n], "amount": str(a)} for n, a in FIGURES.items()]
            self.post("ApproveBudget", code, "maslikhat", effective_from="2025-01-01",
                      balance="0", lines=lines)  # fmt: skip
            self.day = date(2025, 1, 5)
            if level != 3:  # these must keep payments within receipts
                self.post("SetPlan", code, "treasury", effective_from="2025-01-01",
                          lines=[plan(R, 2000, 1, ["receipts"])])  # fmt: skip
            for line in (P, Q1, S):
                self.post("SetPlan", code, "treasury", effective_from="2025-01-05",
                          lines=[plan(line, 400, 1, ("commitments", "payments"))])  # fmt: skip
            self.post("CreditReceipt", code, "treasury", line=[*R], amount="600",
                      value_date="2025-01-05")  # fmt: skip
            for name in ("A0", "A1"):
                self.post("OpenSpecialAccount", code, "treasury", account=name, purpose="own",
                          owner="o", effective_from="2025-01-01")  # fmt: skip
            self.post("CreditSpecialAccount", code, "treasury", account="A0", amount="300",
                      value_date="2025-01-05")  # fmt: skip
            self.post("RegisterCommitment", code, "treasury", contract="C", line=[*P],
                      amount="200", effective_from="2025-01-05")  # fmt: skip
            self.day = date(2024, 12, 24)
        self.day = date(2025, 1, 10)
        self.verdicts.clear()

    def post(self, name: str, budget: str, capacity: str, **fields: Any) -> None:
        """Send one command to both and compare the verdicts."""
        self.count += 1
        document = {
            "command": name, "command_id": str(UUID(int=self.count)), "budget": budget,
            "actor": {"id": "u1", "capacity": capacity}, "reason": "r",
            "act": {"id": "a", "date": str(fields.pop("adopted", self.day))}, **fields,
        }  # fmt: skip
        moment = datetime.combine(self.day, time(9, 0, self.count % 60, self.count), ZONE)
        command = read_command(document, digits=2)
        states = {code: self.states[code] for code in command.budgets()}
        decision = decide(states, command, self.rules, from_iso(moment.isoformat()))
        said, detail = self.oracle.post(document, moment.isoformat())
        for code, overlay in decision.overlays.items():
            self.states[code].cells.update(overlay.changed)
        for event in decision.events:
            self.states[event.originator_id].position = event.originator_version
            if not decision.refusal:
                self.moved.append(
                    (event.originator_id, event.movement(), moment.isoformat(), self.count)
                )
        wanted = "refused" if decision.refusal else "accepted"
        code = decision.refusal.code if decision.refusal else ""
        same = said == wanted and (detail == "limit-exceeded") == (code == "limit-exceeded")
        same |= name == "SequesterBudget" and (detail, code) == ("unknown", "limit-exceeded")
        assert same, (document, str(self.day), said, detail, decision.refusal)
        self.verdicts[name, said] += 1
        if name == "ExecutePayment" and said == "accepted":
            self.payments.append((budget, document["command_id"]))
        if name == "RegisterCommitment" and said == "accepted":
            self.contracts.append((budget, fields["contract"], fields["line"]))

    def compare(self, question: tuple[int, ...]) -> None:
        """Ask both sides one report of one budget at random dates."""
        a, b, c, d, e = question
        budget = [*BUDGETS][a % 3]
        effective = date(2025, 1, 1) + timedelta(days=b % 365)
        adopted = None if c % 3 == 0 else date(2024, 12, 20) + timedelta(days=c % 380)
        known = None if d % 3 == 0 else 1 + d % self.count
        prefix, depth = LINES[e % len(LINES)][: e % 4], 1 + e % 6
        wanted: dict[Any, Counter[str]] = {}
        for code, move, _, number in self.moved:
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


def plan(line: Sequence[str], amount: float, month: int, kinds: Sequence[str]) -> dict[str, Any]:
    return {"line": [*line], **{kind: [{"month": f"2025-{month:02}", "amount": str(amount)}]
                                for kind in kinds}}  # fmt: skip


@dataclass
class Step:
    """The numbers of a step and what they mean on the duel's day."""

    duel: Duel
    name: str
    numbers: tuple[int, ...]

    def __post_init__(self) -> None:
        which, place, other, size, back, gap, extra, flag = self.numbers
        duel, self.extra, self.flag, self.which = self.duel, extra % 14, flag % 14, which % 5
        duel.day = min(duel.day + timedelta(days=[0, 2, 5, 14, 60][gap % 5]), date(2026, 1, 2))
        self.budget = [*BUDGETS][[1, 1, 0, 0, 2][self.which]]
        self.amount, self.sign = AMOUNTS[size % 14], -1 if flag % 2 else 1
        shift = timedelta(days=[0, 0, 0, 2, 9, 40, -3, 100][back % 8])
        self.day = max(duel.day - shift, date(2025, 1, 1))
        self.line, self.line2 = LINES[place % len(LINES)], LINES[other % len(LINES)]
        self.receipts = [R, R2, (*R, "01")][place % 3]
        self.dated = {"effective_from": str(self.day)}
        self.money = {"amount": str(self.amount), "value_date": str(self.day)}
        self.contract = duel.contracts[self.extra % len(duel.contracts)]
        if self.extra == 13:
            self.contract = (self.budget, "none", [*self.line])
        self.kinds = [["payments"], ["commitments"], ["commitments", "payments"]][flag % 3]
        self.month = 1 + extra % 12

    def post(self) -> None:
        """Turn the step into a command and post it."""
        actor, fields = "treasury", self.of_money()
        if not fields:
            actor, fields = self.of_acts()
        self.duel.post(self.name, self.budget, actor, **fields)

    def of_money(self) -> dict[str, Any]:  # noqa: C901 - one case a command
        """Fields of what treasury does; the step may turn to the budget of an old contract."""
        of_contract, contract, committed = self.contract
        account = f"A{self.extra % 4 if self.flag % 2 else 0}"
        match self.name:
            case "SetPlan" | "ChangePlan":
                return self.of_plans()
            case "CreditReceipt" | "RefundReceipt":
                return {"line": [*self.receipts], **self.money}
            case "RegisterCommitment":
                return {"line": [*self.line], "contract": f"C{self.extra}",
                        "amount": str(self.amount), **self.dated}  # fmt: skip
            case "ChangeCommitment":
                self.budget = of_contract
                change = f"{self.sign * self.amount / 4:.2f}"
                return {"contract": contract, "change": change, **self.dated}
            case "CancelCommitment":
                self.budget = of_contract
                return {"contract": contract, **self.dated}
            case "ExecutePayment" if self.flag % 3:
                self.budget = of_contract
                line = committed if self.flag < 10 else self.line
                return {"line": [*line], "contract": contract, **self.money}
            case "ExecutePayment":
                return {"line": [*self.line], **self.money}
            case "RejectPayment":
                return {"line": [*self.line], "amount": str(self.amount), **self.dated}
            case "ReturnPayment" | "RecoverCashExpenditure":
                paid = self.duel.payments or [(self.budget, str(UUID(int=10**6)))]
                self.budget, payment = paid[self.extra % len(paid)]
                return {**self.money, "payment": payment, "amount": f"{self.amount / 4:.2f}"}
            case "SendTransfer":
                return {"transfer": ["subvention", "withdrawal", "targeted"][self.flag % 3],
                        "to": [*BUDGETS][self.extra % 3], "line": [*self.line],
                        "to_line": [*self.receipts], **self.money}  # fmt: skip
            case "OpenSpecialAccount":  # from the first day: earlier money is disputed, see below
                return {"account": f"A{self.extra % 4}", "purpose": "own", "owner": "o",
                        "effective_from": "2025-01-01"}  # fmt: skip
            case "CreditSpecialAccount":
                return {"account": account, **self.money}
            case "DebitSpecialAccount":
                purpose = "own" if self.flag else "other"
                return {"account": account, "purpose": purpose, **self.money}
            case "CloseSpecialAccount":
                return {"account": f"A{self.extra % 4}", **self.dated}
        return {}

    def of_plans(self) -> dict[str, Any]:
        """Fields of plans; what is disputed (see below) is not asked."""
        kinds, amount, dated = self.kinds, self.sign * self.amount, self.dated
        if self.line[0] == "revenue":
            kinds, amount = ["receipts"], self.amount
            if BUDGETS[self.budget] == 3:  # has no plan of receipts: one from the first day
                self.name, self.month, dated = "ChangePlan", 1, {"effective_from": "2025-01-01"}
        if self.name == "SetPlan":  # never from before another plan
            amount = self.amount
            dated = {"effective_from": str(min(self.duel.day + timedelta(days=3), YEAR_END))}
        return {**dated, "lines": [plan(self.line, amount, self.month, kinds)]}

    def of_acts(self) -> tuple[str, dict[str, Any]]:
        """The capacity and the fields of acts of the legislature and the executive."""
        executive = "akim" if BUDGETS[self.budget] == 4 else "akimat"
        planned = self.line if self.line[0] != "revenue" else P
        plans = [plan(planned, self.sign * self.amount, self.month, self.kinds)]
        dated = {**self.dated, **({"plans": plans} if self.flag % 4 == 0 else {})}
        match self.name:
            case "AdjustBudget":
                actor = executive if self.flag < 12 else "treasury"
                return actor, {**dated, **self.adjustment()}
            case "AmendBudget":
                adopted = self.duel.day - timedelta(days=self.extra % 3)
                if self.flag % 3:  # as real amendments are
                    dated["effective_from"] = "2025-01-01"
                return "maslikhat", {**dated, "adopted": adopted, **amendment(
                    self.duel, self.budget, self.line, self.line2, self.amount * self.sign,
                    self.flag)}  # fmt: skip
            case "SequesterBudget":
                actor = executive if self.flag < 9 else "maslikhat"
                cut = {"line": [*self.line], "amount": str(self.amount)}
                return actor, {**dated, "lines": [cut]}
        actor = "maslikhat" if self.flag < 4 else "akimat"
        return actor, {**self.dated, "entries": [{"line": [*self.line]}]}

    def adjustment(self) -> dict[str, Any]:
        """Two lines; what is disputed (see below) is not asked."""
        basis = ["reallocation", "reallocation", "distribution", "transfer", "other"][self.which]
        line, line2, amount = self.line, self.line2, self.amount
        if line[:4] == line2[:4] and basis == "reallocation":
            basis = "distribution"
        amount = amount / 5 if self.flag % 2 else amount
        first, second = -amount, amount if self.extra else 1
        if basis == "transfer":  # receipts and spending alike, receipts never below zero
            first = second = -50 if self.extra < 4 else amount
            line, line2 = R, line2 if line2[0] == "expenditure" else P
        first, second = f"{first:.2f}", f"{second:.2f}"
        return {"basis": basis, "lines": [{"line": [*line], "change": first},
                                          {"line": [*line2], "change": second}]}  # fmt: skip


def play(duel: Duel, name: str, numbers: tuple[int, ...]) -> None:
    """Post one step."""
    Step(duel, name, numbers).post()


def amendment(
    duel: Duel, budget: str, line: Sequence[str], line2: Sequence[str], change: float, flag: int
) -> dict[str, Any]:
    """New amounts of two lines and the balance that results, sometimes wrong by one."""
    now: Counter[tuple[str, ...]] = Counter()
    for code, move, _, _ in duel.moved:
        if code == budget and move.line and "amended" in move.amounts:
            now[move.line] += move.amounts["amended"]
    for changed in (line, line2):
        now[tuple(changed)] = max(0, now[tuple(changed)] + round(change * 100))
    balance = sum(a if n[0] == "revenue" else -a for n, a in now.items()) + (flag == 5)
    both = dict.fromkeys([tuple(line), tuple(line2)])
    return {"balance": f"{balance / 100:.2f}",
            "lines": [{"line": [*n], "amount": f"{now[n] / 100:.2f}"} for n in both]}  # fmt: skip


SEEN: Counter[tuple[str, str]] = Counter()


@seed(20250315)
@settings(max_examples=150, deadline=None, database=None,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(steps=STEPS, questions=QUESTIONS)
def test_decider_and_oracle_agree(steps: list[Any], questions: list[tuple[int, ...]]) -> None:
    duel = Duel()
    for name, number in steps:
        play(duel, name, tuple(Random(number).choices(range(28), k=8)))
    for question in questions:
        duel.compare(question)
    SEEN.update(duel.verdicts)


def test_both_verdicts_were_frequent() -> None:
    """Every command of the deck was accepted and refused in the run above."""
    assert {(name, said) for name in KINDS for said in ("accepted", "refused")} <= set(SEEN)
    accepted = sum(count for (_, said), count in SEEN.items() if said == "accepted")
    assert 0.25 < accepted / SEEN.total() < 0.75


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
            "account": "A9", "purpose": "own", "owner": "o", "effective_from": "2025-03-01"}),
        ("2025-03-01", "CreditSpecialAccount", "treasury", {
            "account": "A9", "amount": "5", "value_date": "2025-01-10"})],
}  # fmt: skip


@pytest.mark.parametrize("name", SETTLED)
def test_a_rule_that_was_disputed_once_is_settled(name: str) -> None:
    duel = Duel()
    for day, command, capacity, fields in SETTLED[name]:
        duel.day = date.fromisoformat(day)
        duel.post(command, capacity=capacity, **{"budget": "KZ-2025-oblast-1", **fields})
    for day in range(0, 365, 3):
        duel.compare((0, day, 0, 0, 5))
