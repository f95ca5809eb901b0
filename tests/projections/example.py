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


async def post_example(book: Any) -> dict[str, Any]:
    """Post events 1 to 11; return the answers by number."""
    got: dict[str, Any] = {}

    async def run(number: str, command: str, day: str, **fields: Any) -> None:
        got[number] = await book.post(command, BUDGET, day, **fields)

    await run("0", "OpenBudget", "2024-12-20", region=1, level=3, year=2025, title="Rayon 1")
    await run(
        "1",
        "ApproveBudget",
        "2024-12-24",
        capacity="maslikhat",
        balance="0",
        effective_from="2025-01-01",
        lines=[
            {"line": R, "amount": k(2000), "title": "Receipts"},
            {"line": P, "amount": k(1000), "title": "Programme P"},
            {"line": Q, "amount": k(1000)},
        ],
    )
    quarterly = months(m01=250, m04=250, m07=250, m10=250)
    await run(
        "2",
        "SetPlan",
        "2025-01-05",
        effective_from="2025-01-05",
        lines=[
            {"line": R, "receipts": months(m01=2300)},
            *(
                {"line": line, "commitments": months(m01=1000), "payments": quarterly}
                for line in (P, Q)
            ),
        ],
    )
    await run("3", "CreditReceipt", "2025-01-10", line=R, amount=k(900), value_date="2025-01-10")
    await run(
        "4",
        "RegisterCommitment",
        "2025-01-20",
        contract="C1",
        line=P,
        amount=k(600),
        effective_from="2025-01-20",
    )
    await run(
        "5",
        "ExecutePayment",
        "2025-02-18",
        contract="C1",
        line=P,
        amount=k(200),
        value_date="2025-02-18",
    )
    await run(
        "6",
        "AdjustBudget",
        "2025-03-06",
        capacity="akimat",
        effective_from="2025-03-06",
        reason="slow start of P",
        lines=[{"line": P, "change": k(-100)}, {"line": Q, "change": k(100)}],
        plans=[
            {"line": P, "commitments": months(m03=-100), "payments": months(m10=-100)},
            {"line": Q, "commitments": months(m03=100), "payments": months(m10=100)},
        ],
    )
    await run(
        "7",
        "AmendBudget",
        "2025-04-10",
        capacity="maslikhat",
        effective_from="2025-01-01",
        plans_effective_from="2025-04-10",
        reason="receipts above plan",
        balance="0",
        lines=[
            {"line": R, "amount": k(2300)},
            {"line": P, "amount": k(1200)},
            {"line": Q, "amount": k(1100)},
        ],
        plans=[{"line": P, "commitments": months(m04=300), "payments": months(m07=200, m10=100)}],
    )
    await run(
        "8",
        "RecoverCashExpenditure",
        "2025-05-02",
        amount=k(20),
        value_date="2025-05-02",
        payment=str(got["5"].command_id),
        reason="unused advance",
    )
    await run(
        "9",
        "SequesterBudget",
        "2025-06-01",
        capacity="akimat",
        reason="receipts fell",
        effective_from="2025-06-01",
        lines=[{"line": P, "amount": k(60)}],
        plans=[{"line": P, "commitments": months(m06=-60), "payments": months(m10=-60)}],
    )
    await run(
        "10",
        "ExecutePayment",
        "2025-07-01",
        contract="C1",
        line=P,
        amount=k(430),
        value_date="2025-07-01",
    )
    await run(
        "11",
        "RegisterCommitment",
        "2025-12-21",
        contract="C2",
        line=P,
        amount=k(10),
        effective_from="2025-12-21",
    )
    return got
