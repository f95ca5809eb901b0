"""The execution report of a budget (law B7, K25 120): plan, commitments and cash by line."""

from projections.budget_execution.exemption import ExemptReport, exempt
from projections.budget_execution.figures import BalanceRow, ExecutionReport, ExecutionRow
from projections.budget_execution.report import (
    BudgetLine,
    Warned,
    lines,
    report,
    warnings,
)

__all__ = [
    "BalanceRow", "BudgetLine", "ExecutionReport", "ExecutionRow", "ExemptReport", "Warned",
    "exempt", "lines", "report", "warnings",
]  # fmt: skip
