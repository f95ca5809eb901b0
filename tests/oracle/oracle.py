"""The oracle: a second, independent reading of the budget rules, brute force and obvious.

It imports nothing from the product. A command is the JSON document of the contract; the answer is
`("accepted", entries)` or `("refused", class)` with the classes unknown, stage, authority, dates,
document, limit, limit-exceeded and reused.
"""

import re
from collections import Counter
from copy import deepcopy
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.book import PLANS, Entry, Line, broken, report, total, under

ACTIONS = {  # action of the authority table: commands (E1)
    "open": "OpenBudget", "rule": "AdoptJurisdiction PublishClassifier", "adjust": "AdjustBudget",
    "legislate": "ApproveBudget AmendBudget SetTransfer", "sequester": "SequesterBudget",
    "plan": "SetPlan ChangePlan", "exempt": "SetExemptList ResolveExemptName",
    "commit": "RegisterCommitment ChangeCommitment CancelCommitment", "transfer": "SendTransfer",
    "pay": "ExecutePayment RejectPayment ReturnPayment RecoverCashExpenditure DebitSpecialAccount",
    "receive": "CreditReceipt RefundReceipt CreditSpecialAccount",
    "open-special-account": "OpenSpecialAccount CloseSpecialAccount",
}  # fmt: skip
REASONED = ("Amend", "Adjust", "Seq", "ChangeC", "Cancel", "Rej", "Ref", "Ret", "Rec")
UNAPPROVED = ("Open", "Approve", "SetT", "SetE", "Res", "Ado", "Publish", "CreditS", "Deb", "Clo")


class Refused(Exception):
    """A rule says no; the argument is the class of the refusal."""


def need(holds: object, otherwise: str) -> None:
    """Refuse with a class unless the rule holds."""
    if not holds:
        raise Refused(otherwise)


class Oracle:
    """All budgets of one jurisdiction, as the list of everything that was ever accepted."""

    def __init__(self, jurisdiction: dict[str, Any]) -> None:
        self.entries, self.answers = [], {}
        self.facts = {n: {} for n in ("budget", "contract", "payment", "account")}
        self.facts |= {"exempt": [], "lists": []}
        self._adoptjurisdiction(jurisdiction)

    def post(self, command: dict[str, Any], recorded_at: str) -> tuple[str, Any]:
        """Decide a command once; a repeated id repeats the first verdict."""
        if first := self.answers.get(command["command_id"]):
            return first[1] if first[0] == command else ("refused", "reused")
        before, self.c, self.name = deepcopy(self.facts), deepcopy(command), command["command"]
        self.recorded, self.code = datetime.fromisoformat(recorded_at), command["budget"]
        self.mine, self.new, self.number = self.of(self.code), [], len(self.answers) + 1
        try:
            self._decide()
            self.entries += self.new
            verdict = ("accepted", self.new)
        except Refused as refusal:
            self.facts, verdict = before, ("refused", str(refusal))
        if self.code == "rulebook" or self.code in self.facts["budget"]:  # else nothing is stored
            self.answers[command["command_id"]] = (deepcopy(command), verdict)
        return verdict

    def of(self, budget: str) -> list[Entry]:
        """Return the entries of a budget."""
        return [e for e in self.entries if e.budget == budget]

    def report(self, budget: str, effective: str, adopted: str | None = None, *,
               known: str | int | None = None, prefix: Line = (), depth: int | None = None,
               by: str | None = None) -> dict[Line, dict[str, int]]:  # fmt: skip
        """Answer the execution report: three filters, rows of a depth or by a dimension."""

        def cut(line: Line) -> Line:
            names = [d["name"] for d in self.sections[line[0]].get("dimensions", [])]
            across = [c for name, c in zip(names, line[1:], strict=False) if name == by]
            return (line[0], *across) if by else line[:depth]

        return report(self.of(budget), effective, adopted, known, prefix, cut)

    def _decide(self) -> None:
        """Unknown things, stage, authority, dates, the command's own rules, limits (design 9.7)."""
        self.budget = self.facts["budget"].get(self.code)
        need(self.budget or self.code == "rulebook" or self.name == "OpenBudget", "unknown")
        self.level = self.budget["level"] if self.budget else 0
        need(self.name.startswith(UNAPPROVED) or self.budget["approved"], "stage")
        done = {"OpenBudget": self.budget, "ApproveBudget": self.budget and self.budget["approved"]}
        need(not done.get(self.name), "stage")
        self._dates()
        need(self._may(next(a for a, names in ACTIONS.items() if self.name in names.split())),
             "authority")  # fmt: skip
        need(not self.name.startswith(REASONED) or self.c.get("reason"), "document")
        noun = re.sub("^[A-Z][a-z]+", "", self.name)
        (getattr(self, f"_{self.name}".lower(), None) or getattr(self, f"_{noun}".lower()))()
        stops = {c["control"] for c in self._in_force("controls") if c["mode"] == "stop"}
        for code in {e.budget for e in self.new}:
            new = [e for e in self.new if e.budget == code]
            contra, mine = self.facts["budget"][code]["contra"], self.of(code) + new
            need(not any(broken(mine, new, stops, self.spending, contra)), "limit-exceeded")

    def _dates(self) -> None:
        """Every date lies in the budget's year, the year is not over, money is not of tomorrow."""
        self.adopted = date.fromisoformat(self.c.get("adopted_on") or self.c["act"]["date"])
        self.today = self.recorded.astimezone(ZoneInfo(self.law["timezone"])).date()
        if "source" in self.c:  # declared imported history has its own date rules (design 9.10)
            self.today = date.fromisoformat(self.c["source"]["recorded_on"])
        year = self.budget or {"starts": date.min, "ends": date.max}
        self.day = self.adopted
        for field in ("plans_effective_from", "value_date", "effective_from"):
            if field in self.c:
                self.c[field] = self.day = date.fromisoformat(self.c[field])
                need(year["starts"] <= self.day <= year["ends"], "dates")
        need(self.adopted <= self.today <= year["ends"], "dates")
        now = "value_date" in self.c or self.name in ("OpenSpecialAccount", "CloseSpecialAccount")
        need(not now or self.day <= self.today, "dates")

    def _in_force(self, table: str, day: date | None = None) -> list[dict[str, Any]]:
        on = str(day or self.day)
        return [rule for rule in self.law[table] if self.level in rule.get("levels", [self.level])
                and str(rule["since"]) <= on <= str(rule.get("until", "9"))]  # fmt: skip

    def _policy(self, name: str) -> Any:
        found = [p for p in self._in_force("policies") if p["policy"] == name]
        return max(found, key=lambda p: str(p["since"]), default={"value": None})["value"]

    def _may(self, action: str) -> bool:
        return any(a["action"] == action and self.c["actor"]["capacity"] in a["capacities"]
                   for a in self._in_force("authority", self.adopted))  # fmt: skip

    def _minor(self, field: str, item: dict[str, Any] | None = None) -> int:
        return int(Decimal((item or self.c)[field]).scaleb(self.law["minor_digits"]))

    def _add(self, measure: str, line: Line, amount: int, **more: Any) -> None:
        if amount or "month" not in more:
            more = {"budget": self.code, "effective": self.day, "adopted": self.adopted, **more}
            self.new.append(Entry(measure=measure, line=line, amount=amount, sequence=self.number,
                                  recorded=self.recorded, **more))  # fmt: skip

    def _replace(self, measure: str, line: Line, amount: int, **more: Any) -> None:
        """Make a figure equal the amount on every day from the effective day on."""
        day, month = more.get("effective", self.day), more.get("month")
        own = [e for e in self.mine if (e.measure, e.line, e.month) == (measure, line, month)]
        standing = sum(e.amount for e in own if e.effective <= day)
        self._add(measure, line, amount - standing, **more)
        for e in [e for e in own if e.effective > day]:
            self._add(measure, line, -e.amount, **{**more, "effective": e.effective})

    def _line(self, path: list[str], side: str = "") -> Line:
        """Read a line: a known section, on the right side, then codes of the declared widths."""
        section = self.sections.get(path[0], {"dimensions": []})
        widths = [d["width"] for d in section.get("dimensions", [])]
        need(path[0] in self.sections and len(path) - 1 <= len(widths), "unknown")
        for code, width in zip(path[1:], widths, strict=False):
            need(len(code) == width and code.isdigit(), "unknown")
        for depth in range(2, len(path) + 1):  # the newest list that speaks for a depth decides
            lists = [codes for since, until, codes in self.facts["lists"]
                     if since <= str(self.day) <= until
                     and {(code[0], len(code)) for code in codes} & {(path[0], depth)}]  # fmt: skip
            need(not lists or tuple(path[:depth]) in lists[-1], "unknown")
        need(side in ("", section["side"]), "document")
        return tuple(path)

    def _open_line(self, path: list[str], side: str = "spending") -> Line:
        """Read a line at or below a line of the budget (design 9.1)."""
        line = self._line(path, side)
        need(any(line[:n] in self._own() for n in range(1, len(line) + 1)), "unknown")
        return line

    def _own(self, measure: str = "amended") -> set[Line]:
        return {e.line for e in self.mine + self.new if e.measure == measure}

    def _openbudget(self) -> None:
        starts = date.fromisoformat(f"{self.c['year']}-{self.law['year_starts']}")
        ends = date(starts.year + 1, starts.month, starts.day) - timedelta(days=1)
        self.facts["budget"][self.code] = {
            "level": self.c["level"], "starts": starts, "ends": ends, "approved": False,
            "cut": 0, "moved": Counter(), "contra": set(), "legislated": date.min,
        }  # fmt: skip

    def _amendbudget(self) -> None:
        """An act's amounts replace the figures; so it absorbs every adjustment (B4, E2)."""
        need(self.adopted >= self.budget["legislated"], "dates")
        self.budget["approved"], self.budget["legislated"] = True, self.adopted
        for item in self.c["lines"]:
            line, amount = self._line(item["line"]), self._minor("amount", item)
            need(not any(e.line == line for e in self.new), "document")
            need(amount == 0 or (amount < 0) == item.get("contra", False), "document")
            self.budget["contra"] |= {line} if item.get("contra") else set()
            for measure in ("approved", "amended", "adjusted")[self.name != "ApproveBudget" :]:
                self._replace(measure, line, amount)
        for line in self._own():
            need(not any(line[:n] in self._own() for n in range(1, len(line))), "document")
        self._identity([e for e in self.mine + self.new if e.measure == "amended"])
        self._plan("plans")

    _approvebudget = _amendbudget

    def _identity(self, now: list[Entry]) -> None:
        """Totals add up; I - II - III - IV = V; financing = -V where it is given (I1, I2, B2)."""
        for item in self.c.get("totals", []):
            inside = under(now, self._line(item["line"]))
            need(total(inside, "amended") == self._minor("amount", item), "document")
        for key, sign in (("identity", 1), ("financing", -1)):
            given = [(self.sections[e.line[0]][key], e.amount) for e in now
                     if key in self.sections[e.line[0]]]  # fmt: skip
            if len({s for s, _ in given}) == 2 or (given and "balance" in self.c):
                need("balance" in self.c, "document")
                need(sum(s * a for s, a in given) == sign * self._minor("balance"), "document")

    def _plan(self, field: str = "lines") -> None:
        """Write monthly plans: whole ones with SetPlan, else changes; one of a kind a branch."""
        more = {"effective": self.c.get("plans_effective_from", self.day)}
        for item in self.c.get(field, []):
            for kind in [k for k in PLANS if k in item]:
                plan, whole, months = PLANS[kind], self.name == "SetPlan", {}
                line = (self._line(item["line"], "receipts") if kind == "receipts"
                        else self._open_line(item["line"]))  # fmt: skip
                for part in item[kind]:
                    month = date.fromisoformat(part["month"] + "-01")
                    need(self.budget["starts"] <= month <= self.budget["ends"], "dates")
                    months[month] = self._minor("amount", part)
                    need(not whole or months[month] >= 0, "document")
                old = [e for e in self.mine if (e.measure, e.line) == (plan, line) and whole]
                for month, amount in ({e.month: 0 for e in old} | months).items():
                    (self._replace if whole else self._add)(plan, line, amount, month=month, **more)
                for other in self._own(plan) - {line}:
                    need(other[: len(line)] != line[: len(other)], "document")

    def _change(self, field: str, sign: int) -> Counter[Line]:
        """Change adjusted figures of lines that stand in the budget: the executive opens none."""
        changes = Counter[Line]()
        for item in self.c["lines"]:
            need(self._line(item["line"]) not in changes, "document")
            changes[tuple(item["line"])] = sign * self._minor(field, item)
        need(all(self._open_line(line, "") for line in changes), "unknown")
        need(self.name == "SequesterBudget" or set(changes) <= self._own(), "document")
        for line, change in changes.items():
            self._add("adjusted", line, change)
        self._plan("plans")
        return changes

    def _adjustbudget(self) -> None:
        """Only a transfer changes a section's total; donors give at most 15 % a year (I1, I14)."""
        sections, programmes = Counter[str](), Counter[Line]()
        basis = self.c.get("basis", "reallocation")
        for line, change in self._change("change", 1).items():
            names = [d["name"] for d in self.sections[line[0]].get("dimensions", [])]
            need("programme" in names or basis != "reallocation", "document")
            sections[line[0]] += change
            depth = names.index("programme") + 2 if "programme" in names else len(line)
            programmes[line[:depth]] += change
        identity = sum(self.sections[n].get("identity", 0) * a for n, a in sections.items())
        need(identity == 0, "document")
        need(basis == "transfer" or not any(sections.values()), "document")
        for donor in [p for p, a in programmes.items() if a < 0 and basis == "reallocation"]:
            self.budget["moved"][donor] -= programmes[donor]
            bound = self._policy("reallocation-max-bps") * total(under(self.mine, donor), "amended")
            need(self.budget["moved"][donor] * 10_000 <= bound, "limit")

    def _adoptjurisdiction(self, law: dict[str, Any] | None = None) -> None:
        self.law = law or self.c["jurisdiction"]
        self.sections = {s["name"]: s for s in self.law["sections"]}
        self.spending = {n for n, s in self.sections.items() if s["side"] == "spending"}

    def _publishclassifier(self) -> None:
        codes = [tuple(code["line"]) for code in self.c["codes"]]
        span = (str(self.day), self.c.get("effective_until", "9"))
        self.facts["lists"] = sorted([*self.facts["lists"], (*span, codes)], key=lambda n: n[0])

    def _setexemptlist(self) -> None:
        scope = (self.code, self.c.get("levels"), self.day, self.c.get("effective_until", "9"))
        for item in self.c.get("entries", [self.c]):
            line = self._line(item["line"]) if "line" in item else ("?",)
            self.facts["exempt"].append((line, item.get("name", item.get("exempt_name")), scope))

    def _resolveexemptname(self) -> None:
        """Only a name that a list in force holds is given a line."""
        need(self.c["exempt_name"] in [name for _, name in self._exemptions()], "unknown")
        self._setexemptlist()

    def _exemptions(self) -> list[tuple[Line, str | None]]:
        return [(path, name) for path, name, (code, levels, since, until) in self.facts["exempt"]
                if code in (self.code, "rulebook") and self.level in (levels or [self.level])
                and str(since) <= str(self.day) <= until]  # fmt: skip

    def _exempt(self, line: Line) -> bool:
        """Tell whether an exempt path covers the line or lies inside it (design 9.6)."""
        return any(line[: len(path)] == path[: len(line)] for path, _ in self._exemptions())

    def _sequesterbudget(self) -> None:
        """Exempt lines are not cut; the executive stays under 10 % a year (I10, I11, B5)."""
        cuts = self._change("amount", -1)
        need(all(n[0] in self.spending and cut < 0 for n, cut in cuts.items()), "document")
        need(not any(self._exempt(line) for line in cuts), "limit")
        self.budget["cut"] -= sum(cuts.values())
        base = sum(e.amount for e in self.mine if e.measure == "amended"
                   and e.line[0] in self.spending and not self._exempt(e.line))  # fmt: skip
        bound = self._policy("executive-sequestration-below-bps") * base
        need(self.budget["cut"] * 10_000 < bound or self._may("sequester-above"), "limit")

    def _commitment(self) -> None:
        """Registered once, not after 20 December; the unpaid rest of a cancelled one ends (I8)."""
        key = (self.code, self.c["contract"])
        line = self._open_line(self.c["line"]) if "line" in self.c else ()
        if self.name == "RegisterCommitment":
            need(self.day <= self.today, "dates")
            need(key not in self.facts["contract"], "stage")
            closes = f"{self.budget['ends'].year}-{self._policy('registration-closes')}"
            need(str(self.today) <= closes or "exception" in self.c, "dates")
            self.facts["contract"][key] = {"line": line, "open": True}
        used, held = (total(self.mine, m, contract=key[1]) for m in ("executed", "accepted"))
        contract = self._contract(key, held - used if self.name == "CancelCommitment" else 0)
        need(self.day <= self.today, "dates")
        if self.name == "CancelCommitment":
            contract["open"], amount = False, used - held
        else:
            amount = self._minor("change" if self.name == "ChangeCommitment" else "amount")
        need(amount, "document")
        self._add("accepted", contract["line"], amount, contract=key[1])

    def _contract(self, key: tuple[str, str], rest: int = 0) -> dict[str, Any]:
        """Money that comes back to a cancelled contract is a `rest` that can be cancelled too."""
        need(key in self.facts["contract"], "unknown")
        need(self.facts["contract"][key]["open"] or rest, "stage")
        return self.facts["contract"][key]

    def _money(self, line: Line, amount: int, sign: int, **more: Any) -> None:
        self._add("executed", line, amount, **more)
        self._add("cash", (), amount * sign, budget=more.get("budget", self.code))

    def _payment(self) -> None:
        """Money that comes back restores the plan, the registration and the cash (E2)."""
        payments, amount = self.facts["payment"], self._minor("amount")
        key = (self.code, self.c.get("payment", self.c["command_id"]))
        if "payment" not in self.c:
            if self.name == "RejectPayment":  # a document, no money
                self._open_line(self.c["line"], side="")
                return need(self.day <= self.today, "dates")
            line, contract = self._open_line(self.c["line"]), self.c.get("contract")
            committed = self._contract((self.code, contract))["line"] if contract else line
            need(line[: len(committed)] == committed, "document")
            payments[key] = (line, contract)
        need(key in payments, "unknown")
        line, contract = payments[key]
        sign = 1 if self.name == "ExecutePayment" else -1
        return self._money(line, sign * amount, -1, contract=contract, payment=key[1])

    _cashexpenditure = _payment

    def _receipt(self) -> None:
        sign = 1 if self.name == "CreditReceipt" else -1
        self._money(self._line(self.c["line"], "receipts"), sign * self._minor("amount"), 1)

    def _transfer(self) -> None:
        """Both sides at once, between adjacent levels unless an exception act is cited (I19)."""
        if self.name == "SetTransfer":  # what this budget's act says, no money
            return need(self.c["peer"] != self.code, "document")
        peer = self.facts["budget"].get(self.c["to"])
        need(peer, "unknown")
        need(self.c["to"] != self.code, "document")
        line, to_line = self._open_line(self.c["line"]), self._line(self.c["to_line"], "receipts")
        need(peer["starts"] == self.budget["starts"], "document")
        strict = self._policy("transfers-between-adjacent-levels") == "yes"
        excepted = "exception_act" in self.c or not strict
        need(excepted or abs(peer["level"] - self.level) == 1, "document")
        self._money(line, self._minor("amount"), -1)
        return self._money(to_line, self._minor("amount"), 1, budget=self.c["to"])

    def _specialaccount(self) -> None:
        """Own purpose only, never below zero, closed empty, outside the budget's totals (I22)."""
        key, accounts = (self.code, self.c["account"]), self.facts["account"]
        if self.name == "OpenSpecialAccount":
            need(key not in accounts, "stage")
            accounts[key] = {"open": True, "since": self.day, "purpose": self.c["purpose"]}
        need(key in accounts, "unknown")
        account, moved = accounts[key], [e for e in self.mine if e.account == key[1]]
        need(account["open"], "stage")
        need(self.c.get("purpose", account["purpose"]) == account["purpose"], "document")
        sign = -1 if self.name == "DebitSpecialAccount" else 1
        need(self.day >= account["since"] or sign < 0, "dates")  # a debit then lacks the balance
        if "amount" in self.c:
            self._add("cash", (), sign * self._minor("amount"), account=key[1])
        if self.name == "CloseSpecialAccount":
            need(total(moved, "cash") == 0, "limit")
            need(all(e.effective <= self.day for e in moved), "dates")
            account["open"] = False
