"""GET /v1/audit: who changed what, when, by which act and why; figures before and after."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api import paging, reports
from api.at_least import AtLeast, reach
from api.documents import AuditPage, not_modified, problem_answers
from api.etag import report
from api.parameters import BudgetQuery, NameQuery, Segment, StrictRoute
from api.parts import parts_of
from projections.audit_trail import trail

router = APIRouter(tags=["reports"], route_class=StrictRoute)


@router.get("/v1/audit", summary="The audit trail", response_class=Response,
            responses={200: {"model": AuditPage}, **not_modified(),
                       **problem_answers(404, 422, 503)})  # fmt: skip
async def get_audit(  # noqa: PLR0913, PLR0917 - each condition is a question of its own
    request: Request,
    budget: BudgetQuery = None,
    line: Annotated[
        list[Segment], Query(max_length=9, description="a path or its beginning, one code a time")
    ] = [],  # noqa: B006 - never changed
    contract: NameQuery = None,
    account: NameQuery = None,
    actor: NameQuery = None,
    act: NameQuery = None,
    kind: NameQuery = None,
    after: paging.AfterSequence = 0,
    limit: paging.Limit = 100,
    at_least: AtLeast = None,
) -> Response:
    """Return events that meet every condition, by sequence."""
    await reach(request, at_least, "audit_trail")
    parts = parts_of(request)
    if budget is not None:
        await parts.ledger.position(budget)
    sequence = await parts.runner.sequence("audit_trail")
    async with parts.ledger.database.connect("reader") as connection:
        found = await trail(
            connection, budget=budget, line=tuple(line) or None, contract=contract,
            account=account, actor=actor, act=act, kind=kind, after_sequence=after,
            limit=limit + 1,
        )  # fmt: skip
    found = [row for row in found if row.sequence <= sequence]
    items, following = paging.page(found, limit, lambda row: row.sequence)
    digits = parts.ledger.digits
    return report(request, reports.trail(sequence, items, following, digits))
