"""One runnable example of every command, in an order in which an empty ledger accepts them all.

They tell the start of 2025 in an imaginary rayon and its oblast; the days are before the day of
`make run`, so they can be posted there too. A test posts them.
"""

from __future__ import annotations

from typing import Any

from api.assembly import JURISDICTIONS, read_toml

OBLAST, RAYON = "KZ-2025-example-oblast", "KZ-2025-example-rayon"
TAX, SUBVENTION = ["revenue", "1", "01", "1"], ["revenue", "4", "02", "1"]
SCHOOLS, ROADS = ["expenditure", "04", "464", "003"], ["expenditure", "12", "458", "023"]
TRANSFERS = ["expenditure", "15", "257", "007"]
ACCOUNT = "KSN-example-7"
EXAMPLES: list[dict[str, Any]] = []


def _example(
    command: str, budget: str, capacity: str, day: str, fields: dict[str, Any],
    reason: str | None = None,
) -> str:  # fmt: skip
    """Add an example and return its command id."""
    command_id = f"00000000-0000-7000-8000-{len(EXAMPLES) + 1:012}"
    document = {
        "command": command, "command_id": command_id, "budget": budget,
        "actor": {"id": f"{capacity}-19", "capacity": capacity},
        "act": {"id": f"document {len(EXAMPLES) + 1}", "date": day},
        **({"reason": reason} if reason else {}), **fields,
    }  # fmt: skip
    EXAMPLES.append(document)
    return command_id


def _months(*amounts: tuple[str, str]) -> list[dict[str, str]]:
    """Return months with their amounts."""
    return [{"month": month, "amount": amount} for month, amount in amounts]


# An example a block, as a clerk would write it down.
# fmt: off
def _approval() -> None:
    """Open both budgets, approve and plan them."""
    _example("OpenBudget", OBLAST, "treasury", "2024-12-10", {
        "region": 19, "level": 2, "year": 2025, "title": "An oblast"})
    _example("OpenBudget", RAYON, "treasury", "2024-12-10", {
        "region": 19, "level": 3, "year": 2025, "title": "A rayon", "parent": OBLAST})
    _example("ApproveBudget", OBLAST, "maslikhat", "2024-12-12", {
        "effective_from": "2025-01-01", "balance": "0",
        "lines": [{"line": TAX, "amount": "5000000.00"},
                  {"line": TRANSFERS, "amount": "5000000.00", "title": "Субвенции"}]})
    _example("ApproveBudget", RAYON, "maslikhat", "2024-12-24", {
        "effective_from": "2025-01-01", "balance": "0",
        "lines": [{"line": TAX, "amount": "1500000.00"},
                  {"line": SUBVENTION, "amount": "500000.00"},
                  {"line": SCHOOLS, "amount": "1000000.00",
                   "title": "Общеобразовательное обучение"},
                  {"line": ROADS, "amount": "1000000.00"}],
        "totals": [{"line": ["expenditure"], "amount": "2000000.00"}]})
    _example("SetTransfer", OBLAST, "maslikhat", "2024-12-12", {
        "transfer": "subvention", "peer": RAYON, "side": "pays", "amount": "500000.00",
        "effective_from": "2025-01-01"})
    plan = _months(("2025-01", "300000.00"), ("2025-02", "300000.00"), ("2025-07", "300000.00"))
    year = _months(("2025-01", "900000.00"))
    _example("SetPlan", OBLAST, "treasury", "2025-01-05", {
        "effective_from": "2025-01-05", "lines": [
            {"line": TRANSFERS, "commitments": _months(("2025-01", "5000000.00")),
             "payments": _months(("2025-01", "5000000.00"))}]})
    _example("SetPlan", RAYON, "treasury", "2025-01-05", {
        "effective_from": "2025-01-05", "lines": [
            {"line": SCHOOLS, "commitments": year, "payments": plan},
            {"line": ROADS, "commitments": year, "payments": plan}]})


def _execution() -> None:
    """Take money in, commit and pay it."""
    _example("CreditReceipt", OBLAST, "treasury", "2025-01-10", {
        "line": TAX, "amount": "1000000.00", "value_date": "2025-01-10"})
    _example("CreditReceipt", RAYON, "treasury", "2025-01-10", {
        "line": TAX, "amount": "900000.00", "value_date": "2025-01-10", "payer": "payer-1"})
    _example("SendTransfer", OBLAST, "treasury", "2025-01-13", {
        "transfer": "subvention", "to": RAYON, "line": TRANSFERS, "to_line": SUBVENTION,
        "amount": "50000.00", "value_date": "2025-01-13"})
    _example("RefundReceipt", RAYON, "treasury", "2025-01-14", {
        "line": TAX, "amount": "500.00", "value_date": "2025-01-14"}, "over-paid tax")
    _example("RegisterCommitment", RAYON, "treasury", "2025-01-20", {
        "contract": "C-1", "line": SCHOOLS, "amount": "600000.00",
        "effective_from": "2025-01-20", "payee": "supplier-1"})
    _example("ChangeCommitment", RAYON, "treasury", "2025-01-22", {
        "contract": "C-1", "change": "-50000.00", "effective_from": "2025-01-22"},
        "supplementary agreement")
    payment = _example("ExecutePayment", RAYON, "treasury", "2025-01-27", {
        "contract": "C-1", "line": SCHOOLS, "amount": "200000.00", "value_date": "2025-01-27",
        "annex": {"payee_name": "Example Person", "official_name": "Example Treasurer"}})
    _example("ReturnPayment", RAYON, "treasury", "2025-01-28", {
        "payment": payment, "amount": "30000.00", "value_date": "2025-01-28"}, "wrong account")
    _example("RecoverCashExpenditure", RAYON, "treasury", "2025-01-31", {
        "payment": payment, "amount": "20000.00", "value_date": "2025-01-31"}, "unused advance")
    _example("RejectPayment", RAYON, "treasury", "2025-02-03", {
        "line": ROADS, "amount": "43000.00", "effective_from": "2025-02-03"},
        "no act of delivery")
    _example("CancelCommitment", RAYON, "treasury", "2025-02-04", {
        "contract": "C-1", "effective_from": "2025-02-04"}, "the supplier withdrew")
    _example("EraseAnnex", RAYON, "treasury", "2025-02-04", {
        "erased_command": payment, "fields": ["payee_name"]}, "the storage period is over")


def _changes() -> None:
    """Change plans and figures, exempt a line and cut others."""
    _example("ChangePlan", RAYON, "treasury", "2025-02-05", {
        "effective_from": "2025-02-05", "lines": [
            {"line": ROADS,
             "payments": _months(("2025-07", "-50000.00"), ("2025-08", "50000.00"))}]})
    _example("AdjustBudget", RAYON, "akimat", "2025-02-06", {
        "effective_from": "2025-02-06",
        "lines": [{"line": ROADS, "change": "-50000.00"}, {"line": SCHOOLS, "change": "50000.00"}]},
        "slow start of the roads")
    _example("AmendBudget", RAYON, "maslikhat", "2025-02-10", {
        "effective_from": "2025-01-01", "balance": "0",
        "lines": [{"line": TAX, "amount": "1600000.00"}, {"line": SCHOOLS, "amount": "1100000.00"}],
        "plans": [{"line": SCHOOLS, "commitments": _months(("2025-02", "100000.00"))}],
        "plans_effective_from": "2025-02-10"}, "receipts above the plan")
    _example("SetExemptList", RAYON, "maslikhat", "2025-02-10", {
        "effective_from": "2025-01-01", "effective_until": "2025-12-31",
        "entries": [{"name": "Общеобразовательное обучение", "sector": "Образование"}]})
    _example("ResolveExemptName", RAYON, "maslikhat", "2025-02-10", {
        "exempt_name": "Общеобразовательное обучение", "line": SCHOOLS,
        "effective_from": "2025-01-01"})
    _example("SequesterBudget", RAYON, "akimat", "2025-02-12", {
        "effective_from": "2025-02-12", "lines": [{"line": ROADS, "amount": "60000.00"}],
        "plans": [{"line": ROADS, "payments": _months(("2025-07", "-60000.00")),
                   "commitments": _months(("2025-02", "-60000.00"))}]}, "receipts fell")


def _accounts() -> None:
    """Use a special account from its opening to its closing."""
    _example("OpenSpecialAccount", RAYON, "treasury", "2025-02-12", {
        "account": ACCOUNT, "purpose": "greening", "owner": "akim-7",
        "effective_from": "2025-02-12"})
    _example("CreditSpecialAccount", RAYON, "treasury", "2025-02-13", {
        "account": ACCOUNT, "amount": "7000.00", "value_date": "2025-02-13"})
    _example("DebitSpecialAccount", RAYON, "treasury", "2025-02-14", {
        "account": ACCOUNT, "amount": "7000.00", "purpose": "greening",
        "value_date": "2025-02-14"})
    _example("CloseSpecialAccount", RAYON, "treasury", "2025-02-17", {
        "account": ACCOUNT, "effective_from": "2025-02-17"})


def _rules() -> None:
    """Publish a classifier of a far year and adopt the jurisdiction that is in force again."""
    _example("PublishClassifier", "rulebook", "government", "2025-02-17", {
        "title": "receipts of 2031", "effective_from": "2031-01-01",
        "codes": [{"line": ["revenue", "1"], "title": "Налоговые поступления"}]})
    _example("AdoptJurisdiction", "rulebook", "government", "2025-02-17", {
        "effective_from": "2025-02-17", "jurisdiction": read_toml(JURISDICTIONS / "kz.toml")})


for _part in (_approval, _execution, _changes, _accounts, _rules):
    _part()
