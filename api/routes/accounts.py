"""GET /v1/budgets/{budget}/accounts/{account}: the statement of a treasury special account."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api import reports
from api.at_least import AtLeast, reach
from api.documents import StatementDocument, not_modified, problem_answers
from api.etag import report
from api.parameters import BudgetPath, NamePath, StrictRoute
from api.parts import fiscal, ledger_of
from projections.special_accounts import account_statement

router = APIRouter(tags=["reports"], route_class=StrictRoute)


@router.get("/v1/budgets/{budget}/accounts/{account}", summary="Statement of a special account",
            response_class=Response,
            responses={200: {"model": StatementDocument}, **not_modified(),
                       **problem_answers(404, 422, 503)})  # fmt: skip
async def get_account(
    request: Request, budget: BudgetPath, account: NamePath, at_least: AtLeast = None
) -> Response:
    """Return the account's purpose, owner, movements and balances."""
    fiscal(budget)
    await reach(request, at_least, "special_accounts")
    ledger = ledger_of(request)
    async with ledger.database.connect("reader") as connection:
        found = await account_statement(connection, budget, account)
    return report(request, reports.account(found, ledger.digits))
