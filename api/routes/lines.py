"""GET /v1/budgets/{budget}/lines: the lines that a budget has used, in that order."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api import paging, reports
from api.at_least import AtLeast, reach
from api.documents import LinePage, not_modified, problem_answers
from api.etag import report
from api.parameters import BudgetPath, Segments, StrictRoute
from api.parts import fiscal, ledger_of, rules_of
from projections.budget_execution import lines

router = APIRouter(tags=["budgets"], route_class=StrictRoute)
AfterNumber = Annotated[
    int, Query(ge=0, le=2**31 - 1, description="lines after this number: a page's `next`")
]


@router.get("/v1/budgets/{budget}/lines", summary="Lines of a budget", response_class=Response,
            responses={200: {"model": LinePage}, **not_modified(),
                       **problem_answers(404, 422, 503)})  # fmt: skip
async def get_lines(
    request: Request,
    budget: BudgetPath,
    prefix: Segments = [],  # noqa: B006 - never changed
    after: AfterNumber = 0,
    limit: paging.Limit = 100,
    at_least: AtLeast = None,
) -> Response:
    """Return a page of lines with their numbers in the log and their titles."""
    fiscal(budget)
    await reach(request, at_least, "budget_execution")
    async with ledger_of(request).database.connect("reader") as connection:
        rules = await rules_of(request, connection)
        found = await lines(connection, rules, budget, prefix=tuple(prefix), after=after,
                            limit=limit + 1)  # fmt: skip
    items, following = paging.page(found, limit, lambda line: line.number)
    return report(request, reports.lines(budget, items, following))
