"""`?receipt=true` on postings, and GET /v1/receipts/key: whose signature a receipt has.

The file format and its verification: `ledger/proofs/receipts.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.documents import problem_answers
from api.parameters import StrictRoute
from api.parts import receipting_of
from api.routes.tree import NOTE
from ledger.errors import LedgerError
from ledger.store.answers import Answer
from ledger.store.pool import LOST

log = logging.getLogger(__name__)
router = APIRouter(tags=["evidence"], route_class=StrictRoute)
Wanted = Annotated[
    bool, Query(description="add a signed receipt to each answer, refusals included")
]
Issue = Callable[[Sequence[Answer]], Awaitable[list[bytes]]]
"""Makes receipts for answers (`Receipting.issue`)."""


@router.get("/v1/receipts/key", summary="The keys that sign receipts", response_class=Response,
            responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
                       **problem_answers(422, 500)})  # fmt: skip
async def get_key(request: Request) -> Response:
    """Answer the verifier keys (C2SP signed-note vkeys), one a line, oldest first."""
    keys = await receipting_of(request).public()
    return Response("".join(f"{key.text}\n" for key in keys), media_type=NOTE)


async def receipts(issue: Issue, answers: Sequence[Answer]) -> list[str | None]:
    """Return a receipt for each answer, None for each where they cannot be made now.

    The commands are decided already: their answers are given in any case, and the receipts
    can be had later, `GET /v1/commands/{id}?receipt=true`.
    """
    try:
        return [paper.decode() for paper in await issue(answers)]
    except (LedgerError, *LOST) as error:
        log.error("no receipts: %r", error)  # noqa: TRY400 - foreseen; its text says all
        return [None] * len(answers)


async def with_receipt(request: Request, answer: Answer) -> dict[str, str | None]:
    """Return the member that a receipt adds to the document of one answer."""
    [paper] = await receipts(receipting_of(request).issue, [answer])
    return {"receipt": paper}
