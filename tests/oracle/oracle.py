"""The oracle: a second, independent reading of the budget rules, brute force and obvious.

It imports nothing from the product. A command is the JSON document of the contract; the answer is
`("accepted", entries)` or `("refused", class)` with the classes unknown, stage, authority, dates,
document, limit, limit-exceeded and reused.
"""

from collections import Counter
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.book import PLANS, Entry, Line, broken, report, total, under

ACTIONS = {  # action of the authority table: commands (E1)
    "open": "OpenBudget", "legislate": "ApproveBudget AmendBudget SetTransfer",
    "adjust": "AdjustBudget", "sequester": "SequesterBudget",
    "exempt": "SetExemptList ResolveExemptName", "plan": "SetPlan ChangePlan",
    "commit": "RegisterCommitment ChangeCommitment CancelCommitment", "transfer": "SendTransfer",
    "pay": "ExecutePayment RejectPayment ReturnPayment RecoverCashExpenditure DebitSpecialAccount",
    "receive": "CreditReceipt RefundReceipt CreditSpecialAccount",
    "open-special-account": "OpenSpecialAccount CloseSpecialAccount",
}  # fmt: skip
REASONED = ["AmendBudget", "AdjustBudget", "SequesterBudget", "RejectPayment", "ReturnPayment",
            "RecoverCashExpenditure", "CancelCommitment"]  # fmt: skip
UNAPPROVED = ["OpenBudget", "ApproveBudget", "SetTransfer", *ACTIONS["exempt"].split()]


class Refused(Exception):
    """A rule says no; the argument is the class of the refusal."""


def need(holds: object, otherwise: str) -> None:
    """Refuse with a class unless the rule holds."""
    if not holds:
        raise Refused(otherwise)


class Oracle:
    """All budgets of one jurisdiction, as the list of everything that was ever accepted."""

    def __init__(self, jurisdiction: dict[str, Any]) -> None:
        self.law, self.entries, self.answers = jurisdiction, [], {}
        self.sections = {s["name"]: s for s in jurisdiction["sections"]}
        self.spending = {n for n, s in self.sections.items() if s["side"] == "spending"}
        self.facts = {"budget": {}, "contract": {}, "payment": {}, "account": {}, "exempt": []}

    def post(self, command: dict[str, Any], recorded_at: str) -> tuple[str, Any]:
        """Decide a command once; a repeated id repeats the first verdict."""
        if first := self.answers.get(command["command_id"]):
            return first[1] if first[0] == command else ("refused", "reused")
        before, self.c, self.code = deepcopy(self.facts), deepcopy(command), command["budget"]
        self.recorded = datetime.fromisoformat(recorded_at).astimezone(UTC)
        self.mine, self.new = self.of(self.code), []
        try:
            self._decide(command["command"])
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
               known: str | int | None = None, prefix: Line = (),
               depth: int | None = None) -> dict[Line, dict[str, int]]:  # fmt: skip
        """Answer the execution report for the three filters."""
        return report(self.of(budget), effective, adopted, known, prefix, depth)

    # The way of a command: unknown things, stage, authority, dates, its own rules, limits

    def _decide(self, name: str) -> None:
        self.adopted = date.fromisoformat(self.c.get("adopted_on") or self.c["act"]["date"])
        self.today = self.recorded.astimezone(ZoneInfo(self.law["timezone"])).date()
        if "source" in self.c:  # declared imported history has its own date rules (design 9.10)
            self.today = date.fromisoformat(self.c["source"]["recorded_on"])
        self.budget = self.facts["budget"].get(self.code)
        need(self.budget or self.code == "rulebook" or name == "OpenBudget", "unknown")
        self.level = self.budget["level"] if self.budget else self.c.get("level", 0)
        if name not in UNAPPROVED and "SpecialAccount" not in name:
            need(self.budget["approved"], "stage")
        action = next(a for a, names in ACTIONS.items() if name in names.split())
        need(self._may(action), "authority")
        need(name not in REASONED or self.c.get("reason"), "document")
        self._dates()
        getattr(self, f"_{'SpecialAccount' if 'SpecialAccount' in name else name}".lower())()
        stops = {c["control"] for c in self.law["controls"]
                 if c["mode"] == "stop" and self._in_force(c)}  # fmt: skip
        for code in {e.budget for e in self.new}:
            new, contra = (
                [e for e in self.new if e.budget == code],
                self.facts["budget"][code]["contra"],
            )
            need(not any(broken(self.of(code) + new, new, stops, self.spending, contra)),
                 "limit-exceeded")  # fmt: skip

    def _dates(self) -> None:
        """Every date lies in the budget's year, the year is not over, money is not of tomorrow."""
        self.day = self.adopted
        for field in ("plans_effective_from", "value_date", "effective_from"):
            if field in self.c:
                self.c[field] = self.day = date.fromisoformat(self.c[field])
                inside = not self.budget or self.budget["starts"] <= self.day <= self.budget["ends"]
                need(inside, "dates")
        need(self.adopted <= self.today, "dates")
        need(not self.budget or self.today <= self.budget["ends"], "dates")
        need("value_date" not in self.c or self.day <= self.today, "dates")

    def _in_force(self, rule: dict[str, Any]) -> bool:
        return str(rule["since"]) <= str(self.adopted) <= str(rule.get("until", "9999"))

    def _policy(self, name: str) -> Any:
        found = [p for p in self.law["policies"] if p["policy"] == name and self._in_force(p)
                 and self.level in p.get("levels", [self.level])]  # fmt: skip
        return max(found, key=lambda p: str(p["since"]))["value"]

    def _may(self, action: str) -> bool:
        return any(a["action"] == action and self._in_force(a)
                   and self.level in a.get("levels", [self.level])
                   and self.c["actor"]["capacity"] in a["capacities"]
                   for a in self.law["authority"])  # fmt: skip

    def _minor(self, text: str) -> int:
        return int(Decimal(text).scaleb(self.law["minor_digits"]))

    def _add(self, measure: str, line: Line, amount: int, **more: Any) -> None:
        entry = {"budget": self.code, "effective": self.day, **more}
        self.new.append(Entry(measure=measure, line=line, amount=amount, adopted=self.adopted,
                              recorded=self.recorded, sequence=len(self.answers) + 1, **entry))  # fmt: skip

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
        section = self.sections.get(path[0])
        need(section, "unknown")
        widths = [d["width"] for d in section.get("dimensions", [])]
        need(len(path) - 1 <= len(widths), "unknown")
        for code, width in zip(path[1:], widths, strict=False):
            need(len(code) == width and code.isdigit(), "unknown")
        need(side in ("", section["side"]), "document")
        return tuple(path)

    def _open_line(self, path: list[str]) -> Line:
        """Read a spending line that the budget has: at this depth, above or below it."""
        line, own = self._line(path, "spending"), self._own()
        need(any(o[: len(line)] == line or line[: len(o)] == o for o in own), "unknown")
        return line

    def _own(self) -> set[Line]:
        return {e.line for e in self.mine if e.measure == "amended"}

    # The budget, its amendments and plans

    def _openbudget(self) -> None:
        need(not self.budget, "stage")
        starts = date.fromisoformat(f"{self.c['year']}-{self.law['year_starts']}")
        self.facts["budget"][self.code] = {
            "level": self.level, "starts": starts, "approved": False, "balance": None, "cut": 0,
            "ends": date(starts.year + 1, starts.month, starts.day) - timedelta(days=1),
            "moved": Counter(), "contra": set(),
        }  # fmt: skip

    def _approvebudget(self) -> None:
        need(not self.budget["approved"], "stage")
        self.budget["approved"] = True
        self._amendbudget("approved", "amended", "adjusted")

    def _amendbudget(self, *measures: str) -> None:
        """The act's amounts replace the figures; so it absorbs every adjustment (B4, E2)."""
        for item in self.c["lines"]:
            line, amount = self._line(item["line"]), self._minor(item["amount"])
            need(not any(e.line == line for e in self.new), "document")
            need(amount >= 0 or item.get("contra"), "document")
            self.budget["contra"] |= {line} if item.get("contra") else set()
            for measure in measures or ("amended", "adjusted"):
                self._replace(measure, line, amount)
        self._identity([e for e in self.mine + self.new if e.effective <= self.day])
        self._plans("plans")

    def _identity(self, now: list[Entry]) -> None:
        """Totals add up; I - II - III - IV = V; financing = -V where it is given (I1, I2, B2)."""
        for item in self.c.get("totals", []):
            inside = under(now, self._line(item["line"]))
            need(total(inside, "amended") == self._minor(item["amount"]), "document")
        if "balance" in self.c:
            self.budget["balance"] = self._minor(self.c["balance"])
        for key, sign in (("identity", 1), ("financing", -1)):
            given = [(self.sections[e.line[0]][key], e.amount) for e in now
                     if e.measure == "amended" and key in self.sections[e.line[0]]]  # fmt: skip
            if len({s for s, _ in given}) == 2 or (given and key == "financing"):
                need(self.budget["balance"] is not None, "document")
                need(sum(s * a for s, a in given) == sign * self.budget["balance"], "document")

    def _plans(self, field: str, *, absolute: bool = False) -> None:
        """Add monthly plans: changes, or the months' new amounts."""
        day = self.c.get("plans_effective_from", self.day)
        for item in self.c.get(field, []):
            for kind in [k for k in PLANS if k in item]:
                line = (self._line(item["line"], "receipts") if kind == "receipts"
                        else self._open_line(item["line"]))  # fmt: skip
                write = self._replace if absolute else self._add
                for part in item[kind]:
                    month, amount = part["month"] + "-01", self._minor(part["amount"])
                    need(str(self.budget["starts"]) <= month <= str(self.budget["ends"]), "dates")
                    month = date.fromisoformat(month)
                    write(PLANS[kind], line, amount, month=month, effective=day)

    def _setplan(self) -> None:
        self._plans("lines", absolute=True)

    def _changeplan(self) -> None:
        self._plans("lines")

    def _change(self, field: str, sign: int) -> Counter[Line]:
        """Change adjusted figures of lines that stand in the budget: the executive opens none."""
        changes: Counter[Line] = Counter()
        for item in self.c["lines"]:
            changes[self._line(item["line"])] += sign * self._minor(item[field])
        need(set(changes) <= self._own(), "unknown")
        for line, change in changes.items():
            self._add("adjusted", line, change)
        self._plans("plans")
        return changes

    def _adjustbudget(self) -> None:
        """Reallocation: nothing leaves its section, donors give at most 15 % a year (I14)."""
        changes = self._change("change", 1)
        sections, programmes = Counter[str](), Counter[Line]()
        for line, change in changes.items():
            names = [d["name"] for d in self.sections[line[0]].get("dimensions", [])]
            depth = names.index("programme") + 2 if "programme" in names else None
            sections[line[0]] += change
            programmes[line[:depth]] += change
        identity = sum(self.sections[n].get("identity", 0) * a for n, a in sections.items())
        need(identity == 0, "document")
        if self.c.get("basis", "reallocation") == "reallocation":
            need(not any(sections.values()), "document")
            for donor in [p for p, a in programmes.items() if a < 0 and p[0] in self.spending]:
                self.budget["moved"][donor] -= programmes[donor]
                base = sum(e.amount for e in under(self.mine, donor)
                           if e.measure == "amended" and e.effective <= self.day)  # fmt: skip
                bound = self._policy("reallocation-max-bps") * base
                need(self.budget["moved"][donor] * 10_000 <= bound, "limit")

    # Sequestration

    def _setexemptlist(self) -> None:
        until = self.c.get("effective_until", "9999")
        for item in self.c["entries"]:
            path = tuple(item.get("line", [item.get("name")]))
            levels = self.c.get("levels", range(10))
            self.facts["exempt"].append((path, self.code, levels, self.day, until))

    def _resolveexemptname(self) -> None:
        self.facts["exempt"] = [
            (tuple(self.c["line"]) if path == (self.c["name"],) else path, *scope)
            for path, *scope in self.facts["exempt"]
        ]

    def _exempt(self, line: Line) -> bool:
        """Tell whether an exempt path covers the line, or lies inside it without own money."""
        return any(
            line[: len(path)] == path or (path[: len(line)] == line and not under(self.mine, path))
            for path, code, levels, since, until in self.facts["exempt"]
            if (code == self.code or (code == "rulebook" and self.level in levels))
            and str(since) <= str(self.day) <= until
        )

    def _sequesterbudget(self) -> None:
        """Exempt lines are not cut; the executive stays under 10 % a year (I10, I11, B5)."""
        cuts = self._change("amount", -1)
        need(all(n[0] in self.spending and cut < 0 for n, cut in cuts.items()), "document")
        need(not any(self._exempt(line) for line in cuts), "limit")
        self.budget["cut"] -= sum(cuts.values())
        base = sum(e.amount for e in self.mine if e.measure == "amended" and e.effective <= self.day
                   and e.line[0] in self.spending and not self._exempt(e.line))  # fmt: skip
        bound = self._policy("executive-sequestration-below-bps") * base
        need(self.budget["cut"] * 10_000 < bound or self._may("sequester-above"), "limit")

    # Commitments, payments, receipts, transfers, special accounts

    def _contract(self) -> dict[str, Any]:
        contract = self.facts["contract"].get((self.code, self.c["contract"]))
        need(contract, "unknown")
        need(contract["open"], "stage")
        return contract

    def _registercommitment(self) -> None:
        """No registration after 20 December (I8)."""
        key = (self.code, self.c["contract"])
        need(key not in self.facts["contract"], "stage")
        line = self._open_line(self.c["line"])
        closes = f"{self.budget['ends'].year}-{self._policy('registration-closes')}"
        need(str(self.today) <= closes, "dates")
        self.facts["contract"][key] = {"line": line, "open": True}
        self._add("accepted", line, self._minor(self.c["amount"]), contract=key[1])

    def _changecommitment(self) -> None:
        line, change = self._contract()["line"], self._minor(self.c["change"])
        self._add("accepted", line, change, contract=self.c["contract"])

    def _cancelcommitment(self) -> None:
        """What is not paid is given back."""
        contract, name = self._contract(), self.c["contract"]
        paid, accepted = (total(self.mine, m, contract=name) for m in ("executed", "accepted"))
        contract["open"] = False
        self._add("accepted", contract["line"], paid - accepted, contract=name)

    def _money(self, line: Line, amount: int, sign: int, **more: Any) -> None:
        self._add("executed", line, amount, **more)
        self._add("cash", (), amount * sign, budget=more.get("budget", self.code))

    def _executepayment(self) -> None:
        line, contract = self._open_line(self.c["line"]), self.c.get("contract")
        registered, payment = self._contract()["line"] if contract else line, self.c["command_id"]
        need(line[: len(registered)] == registered, "document")
        self.facts["payment"][self.code, payment] = (line, contract, self.day)
        amount = self._minor(self.c["amount"])
        self._money(line, amount, -1, contract=contract, payment=payment)

    def _rejectpayment(self) -> None:
        self._open_line(self.c["line"])

    def _returnpayment(self) -> None:
        """Money comes back: plan, registration and cash are restored (E2)."""
        payment, amount = self.c["payment"], self._minor(self.c["amount"])
        need((self.code, payment) in self.facts["payment"], "unknown")
        line, contract, day = self.facts["payment"][self.code, payment]
        need(self.day >= day, "dates")
        self._money(line, -amount, -1, contract=contract, payment=payment)

    _recovercashexpenditure = _returnpayment

    def _creditreceipt(self, sign: int = 1) -> None:
        self._money(self._line(self.c["line"], "receipts"), sign * self._minor(self.c["amount"]), 1)

    def _refundreceipt(self) -> None:
        self._creditreceipt(-1)

    def _settransfer(self) -> None:
        need(self.c["peer"] in self.facts["budget"], "unknown")

    def _sendtransfer(self) -> None:
        """Both sides at once, between adjacent levels unless an exception act is cited (I19)."""
        peer, amount = self.facts["budget"].get(self.c["to"]), self._minor(self.c["amount"])
        need(peer and self.c["to"] != self.code, "unknown")
        line, to_line = self._open_line(self.c["line"]), self._line(self.c["to_line"], "receipts")
        need(peer["starts"] <= self.day <= peer["ends"], "dates")
        down = {"subvention": [1], "withdrawal": [-1]}.get(self.c["transfer"], [1, -1])
        free = self.c.get("exception_act") or str(self.adopted) < "2025-03-15"
        need(free or peer["level"] - self.level in down, "document")
        self._money(line, amount, -1)
        self._money(to_line, amount, 1, budget=self.c["to"])

    def _specialaccount(self) -> None:
        """Own purpose only, never below zero, closed empty, outside the budget's totals (I22)."""
        name, key = self.c["command"], (self.code, self.c["account"])
        if name == "OpenSpecialAccount":
            need(key not in self.facts["account"], "stage")
            self.facts["account"][key] = {"open": True, "since": self.day, **self.c}
        account = self.facts["account"].get(key)
        need(account, "unknown")
        need(account["open"], "stage")
        need(self.c.get("purpose", account["purpose"]) == account["purpose"], "document")
        need(self.day >= account["since"], "dates")
        if "amount" in self.c:
            amount = self._minor(self.c["amount"]) * (-1 if name == "DebitSpecialAccount" else 1)
            self._add("cash", (), amount, account=key[1])
        if name == "CloseSpecialAccount":
            need(total(self.mine, "cash", account=key[1]) == 0, "limit")
            account["open"] = False
