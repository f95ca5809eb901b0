"""GET /v1/budgets/{budget}/warnings: what controls in the mode "warn" let through with flags."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api import paging, reports
from api.at_least import AtLeast, reach
from api.documents import WarningPage, not_modified, problem_answers
from api.etag import report
from api.parameters import BudgetPath, StrictRoute
from api.parts import fiscal, parts_of
from projections.budget_execution import warnings

router = APIRouter(tags=["reports"], route_class=StrictRoute)


@router.get("/v1/budgets/{budget}/warnings", summary="Flagged events of a budget",
            response_class=Response,
            responses={200: {"model": WarningPage}, **not_modified(),
                       **problem_answers(404, 422, 503)})  # fmt: skip
async def get_warnings(
    request: Request,
    budget: BudgetPath,
    after: paging.AfterSequence = 0,
    limit: paging.Limit = 100,
    at_least: AtLeast = None,
) -> Response:
    """Return a page of flagged events by sequence."""
    fiscal(budget)
    await reach(request, at_least, "budget_execution")
    return report(request, await asked(request, budget, after, limit))


async def asked(request: Request, budget: str, after: int, limit: int) -> dict[str, Any]:
    """Return a page of flagged events as JSON types. Raises `NotFound`."""
    parts = parts_of(request)
    sequence = await parts.runner.sequence("budget_execution")
    async with parts.ledger.database.connect("reader") as connection:
        found = await warnings(connection, budget, after_sequence=after, limit=limit + 1)
    found = [item for item in found if item.sequence <= sequence]
    items, following = paging.page(found, limit, lambda item: item.sequence)
    return reports.warnings(budget, sequence, items, following)
