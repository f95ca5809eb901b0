"""GET /v1/budgets/{budget}/transfers: what both sides' acts say, and the money that moved."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api import reports
from api.at_least import AtLeast, reach
from api.documents import PairingDocument, not_modified, problem_answers
from api.etag import report
from api.parameters import AsOfDay, BudgetPath, Known, StrictRoute
from api.parts import fiscal, ledger_of, rules_of
from projections.known import resolve_known
from projections.transfers import pairing_report

router = APIRouter(tags=["reports"], route_class=StrictRoute)


@router.get("/v1/budgets/{budget}/transfers", summary="Pairing of transfers",
            response_class=Response,
            responses={200: {"model": PairingDocument}, **not_modified(),
                       **problem_answers(404, 422, 503)})  # fmt: skip
async def get_transfers(
    request: Request,
    budget: BudgetPath,
    adopted: AsOfDay = None,
    known: Known = None,
    at_least: AtLeast = None,
) -> Response:
    """Return each transfer with both acts' amounts and their difference; nothing is overwritten."""
    fiscal(budget)
    await reach(request, at_least, "transfers")
    ledger = ledger_of(request)
    async with ledger.database.connect("reader") as connection:
        timezone = (await rules_of(request, connection)).jurisdiction.timezone
        asked = None if known is None else await resolve_known(connection, known, timezone)
        found = await pairing_report(connection, budget, adopted, asked)
    if not found.pairs:
        await ledger.position(budget)  # a budget that others name may have no log of its own
    return report(request, reports.transfers(found, adopted, asked, ledger.digits))
