"""GET /v1/budgets/{budget}/exempt: what a sequestration may not touch, and what it still may."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.at_least import AtLeast, reach
from api.documents import ExemptDocument, not_modified, problem_answers
from api.etag import report
from api.parameters import AsOfDay, BudgetPath, StrictRoute
from api.parts import fiscal, ledger_of, rules_of
from api.routes.execution import today
from ledger.money import to_text
from projections.budget_execution import ExemptReport, exempt
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
    await reach(request, at_least)
    ledger = ledger_of(request)
    async with ledger.database.connect("reader") as connection:
        rules = await rules_of(request, connection)
        head = await find_head(connection, budget)
        on = effective or today(rules, head.year, ledger.clock())
        found = await exempt(connection, rules, budget, on)
    return report(request, document(found, rules.jurisdiction.minor_digits))


def document(found: ExemptReport, digits: int) -> dict[str, Any]:
    """Return the report as JSON types."""
    room = found.headroom_minor
    return {
        "budget": found.budget, "effective": found.on.isoformat(), "sequence": found.sequence,
        "exempt": to_text(found.exempt_minor, digits),
        "cuttable": to_text(found.cuttable_minor, digits),
        "sequestered": to_text(found.sequestered_minor, digits),
        "headroom": None if room is None else to_text(room, digits),
        "unresolved": found.unresolved,
        "lines": [
            {"line": list(line.line), "title": line.title, "exempt": line.exempt,
             "amended": to_text(line.amended_minor, digits), "entry": line.entry}
            for line in found.lines
        ],
    }  # fmt: skip
