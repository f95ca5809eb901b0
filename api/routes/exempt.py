"""GET /v1/budgets/{budget}/exempt: what a sequestration may not touch, and what it still may."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api import reports
from api.at_least import AtLeast, reach
from api.documents import ExemptDocument, not_modified, problem_answers
from api.etag import report
from api.parameters import AsOfDay, BudgetPath, StrictRoute
from api.parts import fiscal, ledger_of, rules_of
from api.routes.execution import today
from projections.budget_execution import exempt
from projections.budget_execution.report import find_head

router = APIRouter(tags=["reports"], route_class=StrictRoute)


@router.get("/v1/budgets/{budget}/exempt", summary="Exempt and cuttable amounts",
            response_class=Response,
            responses={200: {"model": ExemptDocument}, **not_modified(),
                       **problem_answers(404, 422, 503)})  # fmt: skip
async def get_exempt(
    request: Request, budget: BudgetPath, effective: AsOfDay = None, at_least: AtLeast = None
) -> Response:
    """Return exempt lines by the lists in force on a day, and what may still be cut."""
    fiscal(budget)
    await reach(request, at_least, "budget_execution")
    ledger = ledger_of(request)
    async with ledger.database.connect("reader") as connection:
        rules = await rules_of(request, connection)
        head = await find_head(connection, budget)
        on = effective or today(rules, head.year, ledger.clock())
        found = await exempt(connection, rules, budget, on)
    return report(request, reports.exempt(found, rules.jurisdiction.minor_digits))
