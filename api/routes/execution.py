"""GET /v1/budgets/{budget}/execution: the columns of the official report (law B7), as of.

`effective` × `adopted` × `known` are three independent filters; the answer names the sequence
it is true for, and two equal questions give equal bytes.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.at_least import AtLeast, reach
from api.documents import ExecutionDocument, not_modified, problem_answers
from api.etag import report as answer
from api.parameters import AsOfDay, BudgetPath, Known, NameQuery, Segments, StrictRoute
from api.parts import fiscal, ledger_of, rules_of
from ledger.dates import local_day
from ledger.money import to_text
from ledger.rules import Rules
from projections.budget_execution.figures import FIGURES, BalanceRow, ExecutionReport, ExecutionRow
from projections.budget_execution.report import find_head, report
from projections.known import resolve_known

router = APIRouter(tags=["reports"], route_class=StrictRoute)
BALANCE = ("approved", "amended", "adjusted", "executed")


@router.get("/v1/budgets/{budget}/execution", summary="The execution report",
            response_class=Response,
            responses={200: {"model": ExecutionDocument}, **not_modified(),
                       **problem_answers(404, 422, 503)})  # fmt: skip
async def get_execution(  # noqa: PLR0913, PLR0917 - the filters of a historical question
    request: Request,
    budget: BudgetPath,
    effective: AsOfDay = None,
    adopted: AsOfDay = None,
    known: Known = None,
    prefix: Segments = [],  # noqa: B006 - never changed
    level: Annotated[
        int | None, Query(ge=1, le=9, description="depth of the rows: 1 = section")
    ] = None,
    by: NameQuery = None,
    at_least: AtLeast = None,
) -> Response:
    """Return the report; `effective` is the ledger's own day inside the year unless given."""
    fiscal(budget)
    await reach(request, at_least)
    ledger = ledger_of(request)
    async with ledger.database.connect("reader") as connection:
        rules = await rules_of(request, connection)
        head = await find_head(connection, budget)
        found = await report(
            connection, rules, budget=budget,
            effective=effective or today(rules, head.year, ledger.clock()), adopted=adopted,
            known=None if known is None
            else await resolve_known(connection, known, rules.jurisdiction.timezone),
            prefix=tuple(prefix), level=level, by=by,
        )  # fmt: skip
    return answer(request, document(found))


def today(rules: Rules, year: int, now: int) -> date:
    """Return the ledger's own day, or the nearest day of the fiscal year."""
    jurisdiction = rules.jurisdiction
    return jurisdiction.fiscal_year(year).clip(local_day(now, jurisdiction.timezone))


def document(found: ExecutionReport) -> dict[str, Any]:
    """Return the report as JSON types, amounts as decimal strings."""
    return {
        "budget": found.budget, "currency": found.currency,
        "effective": found.effective.isoformat(),
        "adopted": found.adopted.isoformat() if found.adopted else None,
        "known": found.known, "sequence": found.sequence, "warnings": found.warnings,
        "rows": [_row(row, found.digits) for row in found.rows],
        "totals": [_row(row, found.digits) for row in found.totals],
        "identity": [_balance(row, found.digits) for row in found.identity],
    }  # fmt: skip


def _row(row: ExecutionRow, digits: int) -> dict[str, Any]:
    """Return one row."""
    amounts = {name: to_text(getattr(row, name), digits) for name in FIGURES}
    return {"line": list(row.line), "title": row.title, **amounts,
            "percent_of_plan": row.percent_of_plan,
            "percent_of_budget": row.percent_of_budget}  # fmt: skip


def _balance(row: BalanceRow, digits: int) -> dict[str, Any]:
    """Return one part of the balance."""
    return {"part": row.part, **{name: to_text(getattr(row, name), digits) for name in BALANCE}}
