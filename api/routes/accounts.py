"""GET /v1/budgets/{budget}/accounts/{account}: the statement of a treasury special account."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.at_least import AtLeast, reach
from api.documents import StatementDocument, not_modified, problem_answers
from api.etag import report
from api.parameters import BudgetPath, NamePath, StrictRoute
from api.parts import fiscal, ledger_of
from ledger.dates import to_iso
from ledger.money import to_text
from projections.special_accounts import AccountMovement, account_statement

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
    await reach(request, at_least)
    ledger = ledger_of(request)
    async with ledger.database.connect("reader") as connection:
        found = await account_statement(connection, budget, account)
    return report(request, {
        "budget": budget, "account": account, "purpose": found.purpose, "owner": found.owner,
        "status": found.status, "sequence": found.sequence,
        "balance": to_text(found.balance_minor, ledger.digits),
        "movements": [_movement(item, ledger.digits) for item in found.movements],
    })  # fmt: skip


def _movement(item: AccountMovement, digits: int) -> dict[str, Any]:
    """Return one movement with the balance after it."""
    return {
        "sequence": item.sequence, "position": item.position, "kind": item.kind,
        "value_date": item.value_date.isoformat(), "recorded_at": to_iso(item.recorded_at),
        "amount": to_text(item.amount_minor, digits),
        "balance": to_text(item.balance_minor, digits), "command_id": str(item.command_id),
    }  # fmt: skip
