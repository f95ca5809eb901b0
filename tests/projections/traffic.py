"""Seeded traffic on one budget: every measure, backdated and planned ahead."""

from random import Random
from typing import Any

BUDGET = "KZ-2025-rayon-9"
RECEIPTS = ["revenue", "1"]
LINES = [["expenditure", "01", "101", f"{n:03}"] for n in range(1, 6)]


async def open_budget(book: Any, budget: str = BUDGET, region: int = 9) -> None:
    await book.accept(
        "OpenBudget", budget, "2024-12-20", region=region, level=3, year=2025, title=budget
    )
    lines = [
        {"line": RECEIPTS, "amount": "500000.00", "title": "Receipts"},
        *({"line": line, "amount": "100000.00"} for line in LINES),
    ]
    await book.accept(
        "ApproveBudget",
        budget,
        "2024-12-24",
        capacity="maslikhat",
        balance="0",
        effective_from="2025-01-01",
        lines=lines,
    )
    plans = [{"month": f"2025-{m:02}", "amount": "8000.00"} for m in range(1, 13)]
    await book.accept(
        "SetPlan",
        budget,
        "2025-01-05",
        effective_from="2025-01-05",
        lines=[
            {"line": RECEIPTS, "receipts": [{"month": "2025-01", "amount": "480000.00"}]},
            *(
                {
                    "line": line,
                    "payments": plans,
                    "commitments": [{"month": "2025-01", "amount": "96000.00"}],
                }
                for line in LINES
            ),
        ],
    )
    await book.accept(
        "CreditReceipt",
        budget,
        "2025-01-06",
        line=RECEIPTS,
        amount="400000.00",
        value_date="2025-01-06",
    )


def traffic(random: Random, book: Any, count: int, budget: str = BUDGET) -> list[dict[str, Any]]:
    """Commands of 2025, each with its day, in the order of days."""
    found = []
    contracts: list[tuple[str, list[str]]] = []
    for day in sorted(random.randrange(8, 330) for _ in range(count)):
        text = f"2025-{day // 28 + 1:02}-{day % 28 + 1:02}"
        early = f"2025-{max(1, day // 28):02}-{day % 28 + 1:02}"
        line = random.choice(LINES)
        amount = f"{random.randrange(1, 900)}.{random.randrange(100):02}"
        choice = random.random()
        if choice < 0.3 or not contracts:
            name = f"C{random.randrange(10**9)}"
            contracts.append((name, line))
            fields = {
                "command": "RegisterCommitment",
                "contract": name,
                "line": line,
                "amount": amount,
                "effective_from": random.choice((text, early)),
            }
        elif choice < 0.7:
            name, line = random.choice(contracts)
            fields = {
                "command": "ExecutePayment",
                "line": line,
                "amount": amount,
                "value_date": random.choice((text, early)),
                "contract": random.choice((name, None)),
            }
        elif choice < 0.8:
            other = random.choice([each for each in LINES if each != line])
            fields = {
                "command": "AdjustBudget",
                "capacity": "akimat",
                "effective_from": text,
                "reason": "need",
                "lines": [
                    {"line": line, "change": f"-{amount}"},
                    {"line": other, "change": amount},
                ],
            }
        elif choice < 0.9:
            month = f"2025-{random.randrange(1, 13):02}"
            fields = {
                "command": "ChangePlan",
                "effective_from": text,
                "lines": [{"line": line, "payments": [{"month": month, "amount": f"-{amount}"}]}],
            }
        else:
            fields = {
                "command": "CreditReceipt",
                "line": RECEIPTS,
                "amount": amount,
                "value_date": text,
            }
        command = fields.pop("command")
        fields = {key: value for key, value in fields.items() if value is not None}
        found.append({"day": text, **book.document(command, budget, text, **fields)})
    return found


async def post_traffic(book: Any, documents: list[dict[str, Any]], chunk: int = 40) -> int:
    """Post in batches, each under its last day's clock; return how many were accepted."""
    accepted = 0
    for start in range(0, len(documents), chunk):
        part = [dict(document) for document in documents[start : start + chunk]]
        book.day([document.pop("day") for document in part][-1])
        answers = await book.ledger.submit([book.ledger.read(document) for document in part])
        accepted += sum(getattr(a, "status", "") == "accepted" for a in answers)
        await book.published()
    return accepted
