"""GET /v1/audit: who changed what, when, by which act and why; figures before and after."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api import paging
from api.at_least import AtLeast, reach
from api.documents import AuditPage, not_modified, problem_answers
from api.etag import report
from api.parameters import BudgetQuery, NameQuery, Segment, StrictRoute
from api.parts import parts_of
from ledger.dates import to_iso
from ledger.money import to_text
from projections.audit_trail import AuditRow, trail

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
    await reach(request, at_least)
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
    return report(request, {"sequence": sequence, "next": following,
                            "items": [document(row, digits) for row in items]})  # fmt: skip


def document(row: AuditRow, digits: int) -> dict[str, Any]:
    """Return one row of the trail as JSON types."""
    return {
        "sequence": row.sequence, "budget": row.budget, "position": row.position,
        "kind": row.kind, "recorded_at": to_iso(row.recorded_at), "actor": row.actor,
        "capacity": row.capacity, "act": row.act, "act_article": row.act_article,
        "act_date": row.act_date.isoformat() if row.act_date else None, "reason": row.reason,
        "source": row.source, "line": None if row.line is None else list(row.line),
        "contract": row.contract, "account": row.account,
        "effective_from": row.effective_from.isoformat(),
        "adopted_on": row.adopted_on.isoformat(),
        "month": row.month.isoformat()[:7] if row.month else None,
        "changes": [
            {"subject": change.subject, "measure": change.measure,
             "before": to_text(change.before_minor, digits),
             "after": to_text(change.after_minor, digits)}
            for change in row.changes
        ],
        "refused": row.refused, "flags": list(row.flags), "command_id": str(row.command_id),
    }  # fmt: skip
