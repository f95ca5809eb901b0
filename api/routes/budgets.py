"""GET /v1/budgets: the logs of the ledger, and what each budget is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api import paging
from api.documents import Budget, BudgetPage, not_modified, problem_answers
from api.etag import report
from api.parameters import BudgetPath, Plain, StrictRoute
from api.parts import ledger_of

router = APIRouter(tags=["budgets"], route_class=StrictRoute)
FACTS = ("year", "region", "level", "title", "parent", "stage", "legislated_on")


@router.get("/v1/budgets", summary="Budgets by code", response_class=Response,
            responses={200: {"model": BudgetPage}, **not_modified(),
                       **problem_answers(422, 503)})  # fmt: skip
async def get_budgets(
    request: Request,
    after: Annotated[str, Query(max_length=80, description="codes after this one: the `next` of "
                                "a page"), Plain] = "",
    limit: paging.Limit = 100,
) -> Response:  # fmt: skip
    """Return a page of budgets in the order of their codes; the rulebook is one of the logs."""
    found = await ledger_of(request).budgets(after, limit + 1)
    items, following = paging.page(found, limit, lambda budget: budget["code"])
    return report(request, {"items": [document(b) for b in items], "next": following})


@router.get("/v1/budgets/{budget}", summary="One budget", response_class=Response,
            responses={200: {"model": Budget}, **not_modified(),
                       **problem_answers(404, 422, 503)})  # fmt: skip
async def get_budget(request: Request, budget: BudgetPath) -> Response:
    """Return what a budget is and how far its log goes."""
    return report(request, document(await ledger_of(request).budget(budget)))


def document(found: dict[str, Any]) -> dict[str, Any]:
    """Return a log as JSON types: its code, place, and what the budget is (null: not opened)."""
    return {"budget": found["code"], "position": found["position"], "hash": found["hash"].hex(),
            **{name: found.get(name) for name in FACTS}}  # fmt: skip
