"""GET /v1/budgets/{budget}/transfers: what both sides' acts say, and the money that moved."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.at_least import AtLeast, reach
from api.documents import PairingDocument, not_modified, problem_answers
from api.etag import report
from api.parameters import AsOfDay, BudgetPath, Known, StrictRoute
from api.parts import fiscal, ledger_of, rules_of
from ledger.money import to_text
from projections.known import resolve_known
from projections.transfers import Pair, Said, Side, pairing_report

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
    await reach(request, at_least)
    ledger = ledger_of(request)
    async with ledger.database.connect("reader") as connection:
        timezone = (await rules_of(request, connection)).jurisdiction.timezone
        asked = None if known is None else await resolve_known(connection, known, timezone)
        found = await pairing_report(connection, budget, adopted, asked)
    if not found.pairs:
        await ledger.position(budget)  # a budget that others name may have no log of its own
    digits = ledger.digits
    return report(request, {
        "budget": budget, "sequence": found.sequence, "known": asked,
        "adopted": adopted.isoformat() if adopted else None,
        "pairs": [_pair(pair, digits) for pair in found.pairs],
    })  # fmt: skip


def _pair(pair: Pair, digits: int) -> dict[str, Any]:
    """Return one kind of transfer between two budgets."""
    difference = pair.difference_minor
    return {
        "transfer": pair.transfer, "payer": pair.payer, "receiver": pair.receiver,
        "payer_says": _side(pair.payer_says, digits),
        "receiver_says": _side(pair.receiver_says, digits),
        "difference": None if difference is None else to_text(difference, digits),
        "sent": to_text(pair.sent_minor, digits), "received": to_text(pair.received_minor, digits),
    }  # fmt: skip


def _side(side: Side | None, digits: int) -> dict[str, Any] | None:
    """Return what one side's acts say, or None where they say nothing."""
    if side is None:
        return None
    return {"amount": to_text(side.amount_minor, digits),
            "said": [_said(said, digits) for said in side.said]}  # fmt: skip


def _said(said: Said, digits: int) -> dict[str, Any]:
    """Return what one act says."""
    return {
        "amount": to_text(said.amount_minor, digits), "purpose": said.purpose, "act": said.act,
        "adopted_on": said.adopted_on.isoformat(),
        "effective_from": said.effective_from.isoformat(), "sequence": said.sequence,
    }  # fmt: skip
