"""A deck of commands: a name and a few numbers become a document on the day reached so far.

Amounts lie around the limits, days before and after today; some commands are meant to be refused.
Whoever plays hands every verdict back, so that later cards name contracts and payments that exist.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from tests.oracle.oracle import Oracle

LAW = tomllib.loads((Path(__file__).parents[2] / "deploy/jurisdictions/kz.toml").read_text("utf-8"))
FIRST_DAY, YEAR_END = date(2025, 1, 1), date(2025, 12, 31)
R, R2 = ("revenue", "1"), ("revenue", "2", "01")
P = ("expenditure", "04", "464", "003")
Q1, Q2 = (*P[:3], "005", "011"), (*P[:3], "005", "015")
S, L = ("expenditure", "07"), ("budget_credit", "10")
FIGURES = {R: 3000, R2: 1000, P: 1000, Q1: 1000, Q2: 500, S: 1000, L: 500}
SPENDING = [P, Q1, Q2, S, L, (*P, "011"), (*P, "011", "159"), P[:2], Q1[:4], (*S, "458"), P[:1]]
PROGRAMMES = (P, Q1[:4], ("expenditure", "07", "458", "001"))
LINES = [*SPENDING, P, Q1, S, R, R2, (*R, "01"), ("expenditure", "09")]
AMOUNTS = [100, 1, 50, 99.99, 149.99, 150, 150.01, 200, 250, 390, 20, 5, 1000, 1600]
KINDS = {
    "SetPlan": 3, "ChangePlan": 3, "CreditReceipt": 4, "RefundReceipt": 1, "RegisterCommitment": 4,
    "ChangeCommitment": 2, "CancelCommitment": 1, "ExecutePayment": 7, "ReturnPayment": 1,
    "RecoverCashExpenditure": 1, "AdjustBudget": 3, "AmendBudget": 3, "SequesterBudget": 2,
    "SendTransfer": 2, "OpenSpecialAccount": 1, "CreditSpecialAccount": 1,
    "DebitSpecialAccount": 1, "CloseSpecialAccount": 1, "RejectPayment": 1, "SetExemptList": 2,
    "ResolveExemptName": 2, "SetTransfer": 1, "OpenBudget": 2, "ApproveBudget": 2,
}  # fmt: skip
CARDS = [name for name, weight in KINDS.items() for _ in range(weight)]
LEGISLATURE = {0: "parliament", 1: "parliament"}
EXECUTIVE = {1: "government", 4: "akim"}
CLASSES = {
    "unknown": "unknown-account unknown-budget unknown-code unknown-contract unknown-exempt-name "
               "unknown-level unknown-line unknown-payment unknown-peer unknown-section "
               "code-not-in-force",
    "stage": "wrong-stage account-exists account-closed contract-exists contract-closed",
    "authority": "actor-not-authorized",
    "dates": "adopted-in-future dates-out-of-order outside-fiscal-year registration-closed "
             "source-in-future value-date-in-future year-closed",
    "limit": "account-not-empty line-exempt reallocation-above-share "
             "sequestration-needs-legislature",
    "limit-exceeded": "limit-exceeded",
    "reused": "command-id-reused",
}  # fmt: skip
"""The oracle's classes of refusals and the product's codes in them; all others are `document`."""


def class_of(code: str) -> str:
    """Return the oracle's class of a code of the product."""
    return next((name for name, codes in CLASSES.items() if code in codes.split()), "document")


def agree(verdict: tuple[str, Any], code: str | None) -> bool:
    """Tell whether the oracle's verdict and the product's refusal, or None, say the same.

    Of several broken rules of the command's own document either may be named.
    """
    said, detail = verdict
    if code is None or said == "accepted":
        return code is None and said == "accepted"
    own = ("document", "dates", "limit", "unknown")
    return detail == class_of(code) or (detail in own and class_of(code) in own)


def plan(line: Sequence[str], amount: float, month: int, kinds: Sequence[str]) -> dict[str, Any]:
    """Write one month of some plans of a line."""
    return {"line": [*line], **{kind: [{"month": f"2025-{month:02}", "amount": str(amount)}]
                                for kind in kinds}}  # fmt: skip


class Deck:
    """Deals commands on budgets (code: level); `day` is the ledger's day and only goes on.

    From one card to the next one of the `gaps` (days) passes.
    """

    def __init__(
        self, oracle: Oracle, budgets: Mapping[str, int], gaps: Sequence[int] = (0, 2, 5, 14, 60)
    ) -> None:
        self.oracle, self.budgets, self.gaps = oracle, dict(budgets), gaps
        self.day = date(2024, 12, 24)
        self.count = 0
        self.payments: list[tuple[str, str]] = []
        self.contracts: list[tuple[str, str, list[str]]] = []

    def document(self, name: str, budget: str, capacity: str, **fields: Any) -> dict[str, Any]:
        """Write a command under the next id; the act is of the day unless `adopted` is given."""
        self.count += 1
        act = {"id": "a", "date": str(fields.pop("adopted", self.day))}
        return {
            "command": name, "command_id": str(UUID(int=self.count)), "budget": budget,
            "actor": {"id": "u1", "capacity": capacity}, "reason": "r", "act": act, **fields,
        }  # fmt: skip

    def deal(self, name: str, seed: int) -> dict[str, Any]:
        """Deal one card."""
        return Card(self, name, tuple(Random(seed).choices(range(28), k=8))).document()

    def rule(self, kind: str, seed: int) -> dict[str, Any]:
        """Deal a change of the rulebook: a policy's value, code lists, the law's exempt lines."""
        chance, since = Random(seed), {"effective_from": str(self.day)}
        if kind == "AdoptJurisdiction":
            law = deepcopy(self.oracle.law)
            name = chance.choice(("reallocation-max-bps", "executive-sequestration-below-bps"))
            for policy in law["policies"]:
                if policy["policy"] == name:
                    policy["value"] = chance.choice((500, 1000, 1500, 2500))
            return self.document(kind, "rulebook", "treasury", jurisdiction=law, **since)
        lines = chance.sample(PROGRAMMES, chance.choice((1, 2, 3, 3, 3)))
        if kind == "PublishClassifier":
            codes = [{"line": [*line], "title": "t"} for line in lines]
            capacity = chance.choice(("treasury", "treasury", "akimat"))
            return self.document(kind, "rulebook", capacity, title="c", codes=codes, **since)
        entries = [{"line": [*line]} for line in lines[:1]] + [{"name": "N"}]
        capacity = chance.choice(("parliament", "parliament", "treasury"))
        levels = chance.sample((1, 2, 3, 4), chance.choice((0, 1, 2)))
        return self.document(kind, "rulebook", capacity, entries=entries, levels=levels, **since)

    def learn(self, document: dict[str, Any], said: str) -> None:
        """Remember what an accepted command made."""
        if said != "accepted":
            return
        budget = document["budget"]
        if document["command"] == "ExecutePayment":
            self.payments.append((budget, document["command_id"]))
        if document["command"] == "RegisterCommitment":
            self.contracts.append((budget, document["contract"], document["line"]))
        if document["command"] == "OpenBudget":
            self.budgets[budget] = document["level"]

    def founding(self, regions: Mapping[str, int]) -> Iterator[dict[str, Any]]:
        """Deal what opens, approves, plans and funds every budget; all of it is accepted."""
        for code, level in self.budgets.items():
            self.day = date(2024, 12, 24)
            yield self.document("OpenBudget", code, "treasury", region=regions.get(code, 1),
                                level=level, year=2025, title="b")  # fmt: skip
            yield self.approval(code)
            self.day = date(2025, 1, 5)
            kinds = ("commitments", "payments")
            plans = [plan(line, 400, 1, kinds) for line in (P, Q1, S)]
            receipts = [plan(R, 2000, 1, ["receipts"])] if level != 3 else []
            dated = {"effective_from": "2025-01-05"}  # above 3 payments stay within receipts
            for one in receipts:
                yield self.document("SetPlan", code, "treasury", effective_from="2025-01-01",
                                    lines=[one])  # fmt: skip
            for one in plans:
                yield self.document("SetPlan", code, "treasury", lines=[one], **dated)
            money = {"amount": "600", "value_date": "2025-01-05"}
            yield self.document("CreditReceipt", code, "treasury", line=[*R], **money)
            if level != 1:  # which has no special accounts
                yield from self._accounts(code, money)
            yield self.document("RegisterCommitment", code, "treasury", contract="C", line=[*P],
                                amount="200", **dated)  # fmt: skip
        self.day = date(2025, 1, 10)

    def _accounts(self, code: str, money: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Deal what opens two special accounts and fills one."""
        for name in ("A0", "A1"):
            first = {"purpose": "own", "owner": "o-1", "effective_from": "2025-01-01"}
            yield self.document("OpenSpecialAccount", code, "treasury", account=name, **first)
        yield self.document("CreditSpecialAccount", code, "treasury", account="A0",
                            **{**money, "amount": "300"})  # fmt: skip

    def approval(self, code: str, wrong: int = 0) -> dict[str, Any]:
        """Approve a budget's figures; its balance may be wrong."""
        lines = [{"line": [*n], "amount": str(a)} for n, a in FIGURES.items()]
        capacity = LEGISLATURE.get(self.budgets[code], "maslikhat")
        return self.document("ApproveBudget", code, capacity, effective_from="2025-01-01",
                             balance=str(wrong), lines=lines)  # fmt: skip

    def amended(self, budget: str) -> Counter[tuple[str, ...]]:
        """Return the budget's amended figures by line, in minor units."""
        now: Counter[tuple[str, ...]] = Counter()
        for entry in self.oracle.of(budget):
            if entry.measure == "amended":
                now[entry.line] += entry.amount
        return now


@dataclass
class Card:
    """The numbers of a card and what they mean on the deck's day."""

    deck: Deck
    name: str
    numbers: tuple[int, ...]

    def __post_init__(self) -> None:
        which, place, other, size, back, gap, extra, flag = self.numbers
        deck, self.extra, self.flag, self.which = self.deck, extra % 14, flag % 14, which % 5
        deck.day = min(deck.day + timedelta(days=deck.gaps[gap % 5]), date(2026, 1, 2))
        self.budget = [*deck.budgets][[1, 1, 0, 3, 2][self.which] % min(4, len(deck.budgets))]
        self.amount, self.sign = AMOUNTS[size % 14], -1 if flag % 2 else 1
        shift = timedelta(days=[0, 0, 0, 2, 9, 40, -3, 100][back % 8])
        self.day = max(deck.day - shift, FIRST_DAY)
        self.line, self.line2 = LINES[place % len(LINES)], LINES[other % len(LINES)]
        self.receipts = [R, R2, (*R, "01")][place % 3]
        self.dated = {"effective_from": str(self.day)}
        self.money = {"amount": str(self.amount), "value_date": str(self.day)}
        self.contract = deck.contracts[self.extra % len(deck.contracts)]
        if self.extra == 13:
            self.contract = (self.budget, "none", [*self.line])
        self.kinds = [["payments"], ["commitments"], ["commitments", "payments"]][flag % 3]
        self.month = 1 + extra % 12

    def document(self) -> dict[str, Any]:
        """Turn the card into a command."""
        if self.name in ("OpenBudget", "ApproveBudget"):
            return self.founding()
        actor, fields = "treasury", self.of_money() or self.of_accounts()
        if not fields:
            actor, fields = self.of_acts()
        return self.deck.document(self.name, self.budget, actor, **fields)

    def founding(self) -> dict[str, Any]:
        """Open or approve one more budget, or one that stands already."""
        deck, code = self.deck, f"KZ-2025-new-{1 + self.extra % 2}"
        if self.name == "ApproveBudget":
            known = [*deck.budgets]
            return deck.approval(known[-1] if self.flag < 12 else known[0], int(self.flag == 5))
        code = self.budget if self.flag == 1 else code
        capacity = "treasury" if self.flag < 12 else "akimat"
        return deck.document("OpenBudget", code, capacity, region=self.which % 3,
                             level=2 + self.which % 3, year=2025, title="new")  # fmt: skip

    def of_money(self) -> dict[str, Any]:
        """Fields of what treasury does; the card may turn to the budget of an old contract."""
        of_contract, contract, committed = self.contract
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
                paid = self.deck.payments or [(self.budget, str(UUID(int=10**6)))]
                self.budget, payment = paid[self.extra % len(paid)]
                return {**self.money, "payment": payment, "amount": f"{self.amount / 4:.2f}"}
            case "SendTransfer":
                return {"transfer": ["subvention", "withdrawal", "targeted"][self.flag % 3],
                        "to": self.peer, "line": [*self.line],
                        "to_line": [*self.receipts], **self.money}  # fmt: skip
        return {}

    @property
    def peer(self) -> str:
        """Another budget, sometimes the same."""
        return [*self.deck.budgets][self.extra % len(self.deck.budgets)]

    def of_accounts(self) -> dict[str, Any]:
        """Fields of special accounts."""
        account = f"A{self.extra % 4 if self.flag % 2 else 0}"
        match self.name:
            case "OpenSpecialAccount":  # from the first day: see the settled questions
                return {"account": f"A{self.extra % 4}", "purpose": "own", "owner": "o-1",
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
        """Fields of plans."""
        kinds, amount, dated = self.kinds, self.sign * self.amount, self.dated
        if self.line[0] == "revenue":
            kinds, amount = ["receipts"], self.amount
            if self.deck.budgets[self.budget] == 3:  # has no plan of receipts: one from day one
                self.name, self.month, dated = "ChangePlan", 1, {"effective_from": "2025-01-01"}
        if self.name == "SetPlan":  # never from before another plan
            amount = self.amount
            dated = {"effective_from": str(min(self.deck.day + timedelta(days=3), YEAR_END))}
        return {**dated, "lines": [plan(self.line, amount, self.month, kinds)]}

    def of_acts(self) -> tuple[str, dict[str, Any]]:
        """The capacity and the fields of acts of the legislature and the executive."""
        level = self.deck.budgets[self.budget]
        legislature = LEGISLATURE.get(level, "maslikhat")
        executive = EXECUTIVE.get(level, "akimat")
        planned = self.line if self.line[0] != "revenue" else P
        plans = [plan(planned, self.sign * self.amount, self.month, self.kinds)]
        dated = {**self.dated, **({"plans": plans} if self.flag % 4 == 0 else {})}
        match self.name:
            case "AdjustBudget":
                actor = executive if self.flag < 12 else "treasury"
                return actor, {**dated, **self.adjustment()}
            case "AmendBudget":
                adopted = self.deck.day - timedelta(days=self.extra % 3)
                if self.flag % 3:  # as real amendments are
                    dated["effective_from"] = "2025-01-01"
                return legislature, {**dated, "adopted": adopted, **self.amendment()}
            case "SequesterBudget":
                actor = executive if self.flag < 9 else legislature
                cut = {"line": [*self.line], "amount": str(self.amount)}
                return actor, {**dated, "lines": [cut]}
            case "SetTransfer":
                return legislature, {**self.dated, "transfer": "subvention", "peer": self.peer,
                                     "side": "pays", "amount": str(self.amount)}  # fmt: skip
        actor = legislature if self.flag < 7 else executive
        if self.name == "ResolveExemptName":
            actor = legislature if self.flag < 12 else executive
            return actor, {**self.dated, "exempt_name": "N",
                           "line": [*self.line]}  # fmt: skip
        named = {"name": "N"}
        entry = {"line": [*self.line]} if self.flag % 2 else named
        return actor, {**self.dated, "entries": [entry]}

    def adjustment(self) -> dict[str, Any]:
        """Change two lines."""
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

    def amendment(self) -> dict[str, Any]:
        """New amounts of two lines and the balance that results, sometimes wrong by one."""
        now = self.deck.amended(self.budget)
        for changed in (self.line, self.line2):
            now[changed] = max(0, now[changed] + round(self.amount * self.sign * 100))
        balance = sum(a if n[0] == "revenue" else -a for n, a in now.items()) + (self.flag == 5)
        both = dict.fromkeys([self.line, self.line2])
        lines = [{"line": [*n], "amount": f"{now[n] / 100:.2f}"} for n in both]
        return {"balance": f"{balance / 100:.2f}", "lines": lines}
