"""The worked example of the rules through the oracle alone, and the oracle's independence."""

import ast
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.oracle.oracle import Oracle

HERE = Path(__file__).parent
LINES_MAX = 400
CODE = sorted(p for p in HERE.glob("*.py") if not p.name.startswith("test_"))
LAW = tomllib.loads((HERE.parents[1] / "deploy/jurisdictions/kz.toml").read_text("utf-8"))
BUDGET = "KZ-2025-rayon-1"
R, P, Q = ["revenue", "1"], ["expenditure", "04", "464", "003"], ["expenditure", "04", "464", "005"]
PAID = "00000000-0000-7000-8000-000000000005"


def months(amount: str, *numbers: int) -> list[dict[str, str]]:
    return [{"month": f"2025-{n:02}", "amount": amount} for n in numbers]


def plan(line: list[str], commitments: tuple[str, int], *payments: tuple[str, int]) -> Any:
    return {"line": line, "commitments": months(*commitments),
            "payments": [m for p in payments for m in months(*p)]}  # fmt: skip


def post(oracle: Oracle, number: int, name: str, day: str, capacity: str, **fields: Any) -> Any:
    return oracle.post(
        {"command": name, "command_id": f"00000000-0000-7000-8000-{number:012}", "budget": BUDGET,
         "actor": {"id": "u1", "capacity": capacity}, "act": {"id": "act", "date": day},
         "reason": "as the example says", **fields},
        f"{day}T09:00:00+05:00",
    )  # fmt: skip


def worked_example() -> tuple[Oracle, list[str]]:
    oracle, said = Oracle(LAW), []

    def do(number: int, name: str, day: str, capacity: str, **fields: Any) -> None:
        status, what = post(oracle, number, name, day, capacity, **fields)
        said.append(status if status == "accepted" else what)

    money = {"line": P, "contract": "C1"}
    quarterly = [("250", n) for n in (1, 4, 7, 10)]
    do(0, "OpenBudget", "2024-12-01", "treasury", region=1, level=3, year=2025, title="Rayon")
    do(1, "ApproveBudget", "2024-12-24", "maslikhat", effective_from="2025-01-01", balance="0",
       lines=[{"line": R, "amount": "2000"}, {"line": P, "amount": "1000"},
              {"line": Q, "amount": "1000"}])  # fmt: skip
    do(2, "SetPlan", "2025-01-05", "treasury", effective_from="2025-01-05",
       lines=[plan(P, ("1000", 1), *quarterly), plan(Q, ("1000", 1), *quarterly)])  # fmt: skip
    do(3, "CreditReceipt", "2025-01-10", "treasury", line=R, amount="900", value_date="2025-01-10")
    do(4, "RegisterCommitment", "2025-01-20", "treasury", **money, amount="600",
       effective_from="2025-01-20")  # fmt: skip
    do(5, "ExecutePayment", "2025-02-18", "treasury", **money, amount="200",
       value_date="2025-02-18")  # fmt: skip
    do(6, "AdjustBudget", "2025-03-06", "akimat", effective_from="2025-03-06",
       lines=[{"line": P, "change": "-100"}, {"line": Q, "change": "100"}],
       plans=[plan(P, ("-100", 3), ("-100", 10)), plan(Q, ("100", 3), ("100", 10))])  # fmt: skip
    do(7, "AmendBudget", "2025-04-10", "maslikhat", effective_from="2025-01-01", balance="0",
       lines=[{"line": R, "amount": "2300"}, {"line": P, "amount": "1200"},
              {"line": Q, "amount": "1100"}],
       plans=[plan(P, ("300", 4), ("200", 7), ("100", 10))],
       plans_effective_from="2025-04-10")  # fmt: skip
    do(8, "RecoverCashExpenditure", "2025-05-02", "treasury", payment=PAID, amount="20",
       value_date="2025-05-02")  # fmt: skip
    do(9, "SequesterBudget", "2025-06-01", "akimat", effective_from="2025-06-01",
       lines=[{"line": P, "amount": "60"}], plans=[plan(P, ("-60", 6), ("-60", 10))])  # fmt: skip
    do(10, "ExecutePayment", "2025-07-01", "treasury", **money, amount="430",
       value_date="2025-07-01")  # fmt: skip
    do(11, "RegisterCommitment", "2025-12-21", "treasury", contract="C2", line=P, amount="10",
       effective_from="2025-12-21")  # fmt: skip
    return oracle, said


def figures(oracle: Oracle, line: list[str], day: str, **filters: Any) -> tuple[int, ...]:
    row = oracle.report(BUDGET, day, prefix=tuple(line), depth=len(line), **filters)[tuple(line)]
    return tuple(
        row[name] // 100
        for name in ("approved", "amended", "adjusted", "plan_payments", "plan_payments_year",
                     "plan_commitments", "accepted", "unpaid", "executed")
    )  # fmt: skip


def test_worked_example_gives_every_expected_answer() -> None:
    oracle, said = worked_example()
    assert said == ["accepted"] * 10 + ["limit-exceeded", "dates"]
    p = figures(oracle, P, "2025-07-01")
    assert p == (1000, 1200, 1140, 950, 1140, 1140, 600, 420, 180)
    assert [f"{180 / base:.1%}" for base in (950, 1140)] == ["18.9%", "15.8%"]
    q = figures(oracle, Q, "2025-12-31")
    assert q == (1000, 1100, 1100, 1100, 1100, 1100, 0, 0, 0)
    for day, known, want in (
        ("2025-02-01", "2025-04-01", [(1000, 1000, 1000)] * 2),
        ("2025-02-01", "2025-04-10", [(1000, 1200, 1200), (1000, 1100, 1100)]),
        ("2025-02-01", None, [(1000, 1200, 1200), (1000, 1100, 1100)]),
        ("2025-03-31", "2025-04-01", [(1000, 1000, 900), (1000, 1000, 1100)]),
        ("2025-03-31", "2025-04-10", [(1000, 1200, 1200), (1000, 1100, 1100)]),
    ):
        assert [figures(oracle, line, day, known=known)[:3] for line in (P, Q)] == want


def test_absorbing_amendment_writes_200_in_january_and_100_in_march() -> None:
    oracle, _ = worked_example()
    written = [(str(e.effective), e.amount // 100) for e in oracle.entries
               if e.measure == "adjusted" and e.line == tuple(P) and e.sequence == 8]  # fmt: skip
    assert written == [("2025-01-01", 200), ("2025-03-06", 100)]


def test_recovery_restores_cash_and_registration() -> None:
    oracle, _ = worked_example()
    assert sum(e.amount for e in oracle.entries if e.measure == "cash") == 720_00
    pay = {"line": P, "contract": "C1", "value_date": "2025-07-02"}
    more = post(oracle, 20, "ExecutePayment", "2025-07-02", "treasury", **pay, amount="420.01")
    assert more == ("refused", "limit-exceeded")
    assert post(oracle, 21, "ExecutePayment", "2025-07-02", "treasury", **pay, amount="420")[0] == (
        "accepted"
    )


def test_year_end_figures() -> None:
    oracle, _ = worked_example()
    row = oracle.report(BUDGET, "2025-12-31", prefix=tuple(P))[tuple(P)]
    assert row["plan_payments"] - row["executed"] == 960_00
    assert row["unpaid"] == 420_00


def test_repeated_id_repeats_the_verdict_and_another_body_is_reused() -> None:
    oracle, _ = worked_example()
    count, first = len(oracle.entries), oracle.answers[PAID]
    assert oracle.post(*_sent(first[0])) == first[1]
    changed = {**first[0], "amount": "201"}
    assert oracle.post(*_sent(changed)) == ("refused", "reused")
    assert oracle.post(*_sent({**first[0], "budget": "KZ-2025-x"})) == ("refused", "reused")
    assert len(oracle.entries) == count


def _sent(command: dict[str, Any]) -> tuple[dict[str, Any], str]:
    return command, "2025-08-01T09:00:00+05:00"


def test_worked_example_twice_gives_the_same_book() -> None:
    assert worked_example()[0].entries == worked_example()[0].entries


def test_oracle_imports_nothing_from_the_product_and_stays_small() -> None:
    allowed = sys.stdlib_module_names
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.startswith("tests.oracle.") or name.split(".")[0] in allowed, name
    assert sum(_lines_of_code(p.read_text("utf-8")) for p in CODE) < LINES_MAX


def _lines_of_code(text: str) -> int:
    """Count lines that are neither blank, comment nor docstring."""
    tree = ast.parse(text)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    told = [n.body[0] for n in ast.walk(tree) if isinstance(n, documented) and ast.get_docstring(n)]
    told_lines = {line for n in told for line in range(n.lineno, n.end_lineno + 1)}
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in told_lines
        for number, line in enumerate(text.splitlines(), 1)
    )
