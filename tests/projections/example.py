"""The worked example of spec/rules.md E2, posted through the real ledger (thousand tenge)."""

from typing import Any

BUDGET = "KZ-2025-rayon-1"
R = ["revenue", "1"]
P = ["expenditure", "01", "101", "001"]
Q = ["expenditure", "01", "101", "002"]


def k(thousand: int) -> str:
    """Thousand tenge as an amount."""
    return f"{thousand}000.00"


def months(**amounts: int) -> list[dict[str, str]]:
    return [{"month": f"2025-{m[1:]}", "amount": k(a)} for m, a in amounts.items()]


QUARTERLY = months(m01=250, m04=250, m07=250, m10=250)
MASLIKHAT, AKIMAT = {"capacity": "maslikhat"}, {"capacity": "akimat"}
EVENTS: list[tuple[str, str, dict[str, Any]]] = [
    ("OpenBudget", "2024-12-20", {"region": 1, "level": 3, "year": 2025, "title": "Rayon 1"}),
    ("ApproveBudget", "2024-12-24", MASLIKHAT | {
        "balance": "0", "effective_from": "2025-01-01", "lines": [
            {"line": R, "amount": k(2000), "title": "Receipts"},
            {"line": P, "amount": k(1000), "title": "Programme P"},
            {"line": Q, "amount": k(1000)}]}),
    ("SetPlan", "2025-01-05", {"effective_from": "2025-01-05", "lines": [
        {"line": R, "receipts": months(m01=2300)},
        *({"line": line, "commitments": months(m01=1000), "payments": QUARTERLY}
          for line in (P, Q))]}),
    ("CreditReceipt", "2025-01-10", {"line": R, "amount": k(900), "value_date": "2025-01-10"}),
    ("RegisterCommitment", "2025-01-20", {
        "contract": "C1", "line": P, "amount": k(600), "effective_from": "2025-01-20"}),
    ("ExecutePayment", "2025-02-18", {
        "contract": "C1", "line": P, "amount": k(200), "value_date": "2025-02-18"}),
    ("AdjustBudget", "2025-03-06", AKIMAT | {
        "effective_from": "2025-03-06", "reason": "slow start of P",
        "lines": [{"line": P, "change": k(-100)}, {"line": Q, "change": k(100)}],
        "plans": [
            {"line": P, "commitments": months(m03=-100), "payments": months(m10=-100)},
            {"line": Q, "commitments": months(m03=100), "payments": months(m10=100)}]}),
    ("AmendBudget", "2025-04-10", MASLIKHAT | {
        "effective_from": "2025-01-01", "plans_effective_from": "2025-04-10",
        "reason": "receipts above plan", "balance": "0",
        "lines": [{"line": R, "amount": k(2300)}, {"line": P, "amount": k(1200)},
                  {"line": Q, "amount": k(1100)}],
        "plans": [{"line": P, "commitments": months(m04=300),
                   "payments": months(m07=200, m10=100)}]}),
    ("RecoverCashExpenditure", "2025-05-02", {
        "amount": k(20), "value_date": "2025-05-02", "reason": "unused advance"}),
    ("SequesterBudget", "2025-06-01", AKIMAT | {
        "reason": "receipts fell", "effective_from": "2025-06-01",
        "lines": [{"line": P, "amount": k(60)}],
        "plans": [{"line": P, "commitments": months(m06=-60), "payments": months(m10=-60)}]}),
    ("ExecutePayment", "2025-07-01", {
        "contract": "C1", "line": P, "amount": k(430), "value_date": "2025-07-01"}),
    ("RegisterCommitment", "2025-12-21", {
        "contract": "C2", "line": P, "amount": k(10), "effective_from": "2025-12-21"}),
]  # fmt: skip
"""The opening and events 1 to 11; the recovery (8) is of the payment (5)."""


async def post_example(book: Any) -> dict[str, Any]:
    """Post events 1 to 11; return the answers by number."""
    got: dict[str, Any] = {}
    for number, (command, day, fields) in enumerate(EVENTS):
        of = {"payment": str(got["5"].command_id)} if number == 8 else {}
        got[str(number)] = await book.post(command, BUDGET, day, **fields, **of)
    return got
