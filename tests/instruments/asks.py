"""What a bookkeeper asks, one short function a command; amounts are whole tenge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Line = tuple[str, ...]
R: Line = ("revenue", "1")
P: Line = ("expenditure", "01", "101", "001")
Q: Line = ("expenditure", "02", "102", "001")
R_TRANSFER: Line = ("revenue", "4")
NOWHERE: Line = ("expenditure", "09", "999", "999")


@dataclass(frozen=True)
class Ask:
    """A command without its day: name, capacity, fields and which dates default to the day."""

    name: str
    by: str
    fields: Mapping[str, Any]
    budget: str | None = None
    dated: tuple[str, ...] = field(default=("effective_from",))


def money(minor: int) -> float:
    """Turn minor units into tenge."""
    return minor / 100 if minor % 100 else minor // 100


def text(amount: float | str) -> str:
    """Write an amount as the wire does."""
    return amount if isinstance(amount, str) else str(amount)


def amounts(lines: Mapping[Line, Any], name: str = "amount", **more: Any) -> list[dict[str, Any]]:
    """Write lines with an amount each."""
    return [{"line": list(line), name: text(amount), **more} for line, amount in lines.items()]


def months(by_month: Mapping[int, int]) -> list[dict[str, str]]:
    """Write months of 2025."""
    return [{"month": f"2025-{month:02}", "amount": text(v)} for month, v in by_month.items()]


def plan_of(line: Line, **plans: Mapping[int, int]) -> dict[str, Any]:
    """Write one line's plans: commitments={1: 1000}, payments={...}, receipts={...}."""
    return {"line": list(line), **{name: months(by_month) for name, by_month in plans.items()}}


def open_budget(level: int = 3, year: int = 2025, **more: Any) -> Ask:
    """Open the budget."""
    fields = {"region": 1, "level": level, "year": year, "title": "test", **more}
    return Ask("OpenBudget", "treasury", fields, dated=())


def approve(lines: Mapping[Line, Any], /, *, balance: Any = 0, **more: Any) -> Ask:
    """Approve these lines, effective 1 January 2025."""
    stated = None if balance is None else text(balance)
    fields = {"effective_from": "2025-01-01", "lines": amounts(lines), "balance": stated}
    return Ask("ApproveBudget", "maslikhat", {**fields, **more})


def amend(lines: Mapping[Line, Any], /, *, balance: Any = 0, **more: Any) -> Ask:
    """Give lines new amounts, effective 1 January 2025 unless told."""
    stated = None if balance is None else text(balance)
    fields = {"effective_from": "2025-01-01", "lines": amounts(lines), "balance": stated,
              "reason": "receipts"}  # fmt: skip
    return Ask("AmendBudget", "maslikhat", {**fields, **more})


def adjust(lines: Mapping[Line, Any], /, *plans: Any, **more: Any) -> Ask:
    """Change adjusted amounts by these signed amounts."""
    fields = {"lines": amounts(lines, "change"), "plans": list(plans), "reason": "need"}
    return Ask("AdjustBudget", "akimat", {**fields, **more})


def cut(lines: Mapping[Line, Any], /, *plans: Any, **more: Any) -> Ask:
    """Sequester these amounts."""
    fields = {"lines": amounts(lines), "plans": list(plans), "reason": "shortfall"}
    return Ask("SequesterBudget", "akimat", {**fields, **more})


def set_plan(*plans: Any, **more: Any) -> Ask:
    """Set whole plans."""
    return Ask("SetPlan", "treasury", {"lines": list(plans), **more})


def change_plan(*plans: Any, **more: Any) -> Ask:
    """Change plans by month."""
    return Ask("ChangePlan", "treasury", {"lines": list(plans), **more})


def register(contract: str, line: Line, amount: Any, **more: Any) -> Ask:
    """Register a contract."""
    fields = {"contract": contract, "line": list(line), "amount": text(amount)}
    return Ask("RegisterCommitment", "treasury", {**fields, **more})


def change(contract: str, amount: Any, **more: Any) -> Ask:
    """Change a contract's amount."""
    fields = {"contract": contract, "change": text(amount), "reason": "supplement", **more}
    return Ask("ChangeCommitment", "treasury", fields)


def cancel(contract: str, **more: Any) -> Ask:
    """Cancel a contract."""
    fields = {"contract": contract, "reason": "withdrawn", **more}
    return Ask("CancelCommitment", "treasury", fields)


def pay(line: Line, amount: Any, contract: str | None = None, **more: Any) -> Ask:
    """Execute a payment."""
    fields = {"line": list(line), "amount": text(amount), "contract": contract, **more}
    return Ask("ExecutePayment", "treasury", fields, dated=("value_date",))


def reject(line: Line, amount: Any, **more: Any) -> Ask:
    """Reject a payment document."""
    fields = {"line": list(line), "amount": text(amount), "reason": "no invoice", **more}
    return Ask("RejectPayment", "treasury", fields)


def give_back(name: str, payment: Any, amount: Any, /, **more: Any) -> Ask:
    """Return (`ReturnPayment`) or recover (`RecoverCashExpenditure`) part of a payment."""
    fields = {"payment": str(payment), "amount": text(amount), "reason": "error", **more}
    return Ask(name, "treasury", fields, dated=("value_date",))


def receive(amount: Any, line: Line = R, **more: Any) -> Ask:
    """Credit a receipt."""
    fields = {"line": list(line), "amount": text(amount), **more}
    return Ask("CreditReceipt", "treasury", fields, dated=("value_date",))


def refund(amount: Any, line: Line = R, **more: Any) -> Ask:
    """Refund a receipt."""
    fields = {"line": list(line), "amount": text(amount), "reason": "over-paid", **more}
    return Ask("RefundReceipt", "treasury", fields, dated=("value_date",))


def exempt_list(*entries: Mapping[str, Any], **more: Any) -> Ask:
    """Set the budget's own exempt list from 1 January 2025."""
    fields = {"effective_from": "2025-01-01", "entries": list(entries), **more}
    return Ask("SetExemptList", "maslikhat", fields)


def resolve(name: str, line: Line, **more: Any) -> Ask:
    """Resolve an exempt name."""
    fields = {"effective_from": "2025-01-01", "exempt_name": name, "line": list(line), **more}
    return Ask("ResolveExemptName", "maslikhat", fields)


def set_transfer(amount: Any, peer: str, side: str = "pays", **more: Any) -> Ask:
    """State what the act says of a transfer."""
    fields = {"transfer": "subvention", "peer": peer, "side": side, "amount": text(amount)}
    return Ask("SetTransfer", "maslikhat", {**fields, **more})


def send(amount: Any, to: str, line: Line = P, to_line: Line = R_TRANSFER, **more: Any) -> Ask:
    """Move money to another budget."""
    fields = {"transfer": "targeted", "to": to, "line": list(line), "to_line": list(to_line),
              "amount": text(amount), **more}  # fmt: skip
    return Ask("SendTransfer", "treasury", fields, dated=("value_date",))


def account(name: str, number: str = "KSN-7", **more: Any) -> Ask:
    """Open, credit, debit or close a special account (the command's name is given)."""
    dated = ("value_date",) if "amount" in more else ("effective_from",)
    return Ask(name, "treasury", {"account": number, **more}, dated=dated)


def classifier(title: str, since: str, codes: Mapping[Line, str], **more: Any) -> Ask:
    """Publish a classifier version."""
    listed = [{"line": list(line), "title": meaning} for line, meaning in codes.items()]
    fields = {"title": title, "effective_from": since, "codes": listed, **more}
    return Ask("PublishClassifier", "treasury", fields, budget="rulebook")


APPROVED = (
    ("2024-12-20", open_budget()),
    ("2024-12-24", approve({R: 2000, P: 1000, Q: 1000})),
)
"""A rayon budget of 2025: R 2000 = P 1000 + Q 1000."""
YEAR = {1: 250, 4: 250, 7: 250, 10: 250}
PLANNED = (
    *APPROVED,
    ("2025-01-05", set_plan(plan_of(P, commitments={1: 1000}, payments=YEAR),
                            plan_of(Q, commitments={1: 1000}, payments=YEAR))),
)  # fmt: skip
"""The same with plans: commitments 1000 in January, payments 250 a quarter."""
RUNNING = (
    *PLANNED,
    ("2025-01-10", receive(900)),
    ("2025-01-20", register("C1", P, 600)),
)
"""The same with 900 of cash and contract C1 of 600 on P."""
