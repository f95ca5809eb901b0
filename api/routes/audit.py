"""GET /v1/audit: who changed what, when, by which act and why; figures before and after."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api import paging, reports
from api.at_least import AtLeast, reach
from api.documents import AuditPage, not_modified, problem_answers
from api.etag import report
from api.parameters import BudgetQuery, StrictRoute, TrailQuestion
from api.parts import parts_of
from projections.audit_trail import trail

router = APIRouter(tags=["reports"], route_class=StrictRoute)


@router.get("/v1/audit", summary="The audit trail", response_class=Response,
            responses={200: {"model": AuditPage}, **not_modified(),
                       **problem_answers(404, 422, 503)})  # fmt: skip
async def get_audit(
    request: Request, asked: TrailQuestion, budget: BudgetQuery = None, at_least: AtLeast = None
) -> Response:
    """Return events that meet every condition, by sequence."""
    await reach(request, at_least, "audit_trail")
    parts, limit = parts_of(request), asked["limit"]
    if budget is not None:
        await parts.ledger.position(budget)
    sequence = await parts.runner.sequence("audit_trail")
    async with parts.ledger.database.connect("reader") as connection:
        found = await trail(
            connection, budget=budget, line=tuple(asked["line"]) or None,
            contract=asked["contract"], account=asked["account"], actor=asked["actor"],
            act=asked["act"], kind=asked["kind"], after_sequence=asked["after"], limit=limit + 1,
        )  # fmt: skip
    found = [row for row in found if row.sequence <= sequence]
    items, following = paging.page(found, limit, lambda row: row.sequence)
    digits = parts.ledger.digits
    return report(request, reports.trail(sequence, items, following, digits))
