"""POST /v1/commands: one command, decided exactly once; GET: the stored answer to it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from api import problems, wire
from api.documents import Verdict, problem_answers
from api.idempotency import with_key
from api.parameters import StrictRoute
from api.parts import ledger_of
from api.routes.receipts import Wanted, with_receipt
from ledger.dates import to_iso
from ledger.errors import Invalid, LedgerError
from ledger.store.answers import Answer
from ledger.terms import BudgetCode

router = APIRouter(tags=["commands"], route_class=StrictRoute)
BODY = (400, 413, 415)


@router.post(
    "/v1/commands",
    summary="Post one command",
    response_class=Response,
    status_code=201,
    responses={
        201: {"model": Verdict, "description": "The command was accepted and stored"},
        200: {"model": Verdict, "description": "It was accepted before: the first answer again"},
        **problem_answers(404, 409, 422, 503, 504, *BODY),
    },
    openapi_extra={
        "x-body": "command",
        "parameters": [{
            "name": "Idempotency-Key", "in": "header", "required": False,
            "schema": {"type": "string", "format": "uuid"},
            "description": "the command_id; must equal the body's, if that has one",
        }],
    },
)  # fmt: skip
async def post_command(
    request: Request,
    receipt: Wanted = False,  # noqa: FBT002 - a query parameter
) -> Response:
    """Decide one command: 201 accepted, 409 refused (both are stored), 200 a repeat."""
    ledger = ledger_of(request)
    wire.media_type(request, wire.JSON)
    body = await wire.read_body(request, wire.COMMAND_BYTES_MAX)
    document = with_key(request, wire.read_json(body))
    if not isinstance(document, dict):
        raise Invalid("a command is a JSON object", errors=[])
    [result] = await ledger.submit([ledger.read(document)])
    if isinstance(result, LedgerError):
        raise result
    added = await with_receipt(request, result) if receipt else {}
    if result.status != "accepted":
        return problems.problem_response({**problems.of_refusal(result, ledger.digits), **added})
    place = f"/v1/commands/{result.command_id}?budget={result.budget}"
    return wire.json_response(
        {**verdict(result), **added}, 200 if result.replayed else 201, {"Content-Location": place}
    )


@router.get(
    "/v1/commands/{command_id}",
    summary="The stored answer to a command",
    response_class=Response,
    responses={200: {"model": Verdict, "description": "It was accepted"},
               **problem_answers(404, 409, 422, 503)},
)  # fmt: skip
async def get_command(
    request: Request, command_id: UUID, budget: Annotated[BudgetCode, Query()],
    receipt: Wanted = False,  # noqa: FBT002 - a query parameter
) -> Response:  # fmt: skip
    """Repeat the answer: 200 accepted, 409 refused, 404 not stored in this budget."""
    ledger = ledger_of(request)
    result = await ledger.answer(budget, command_id)
    added = await with_receipt(request, result) if receipt else {}
    if result.status != "accepted":
        return problems.problem_response({**problems.of_refusal(result, ledger.digits), **added})
    return wire.json_response({**verdict(result), **added})


def verdict(answer: Answer) -> dict[str, Any]:
    """Return the document of an accepted command."""
    return {
        "command_id": str(answer.command_id), "budget": answer.budget, "status": answer.status,
        "position": answer.position, "events": answer.events,
        "recorded_at": to_iso(answer.recorded_at), "replayed": answer.replayed,
        "flags": list(answer.flags),
    }  # fmt: skip
