"""Liveness and readiness: /healthz says that the process answers, /readyz that it works."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.documents import Health, Readiness, problem_answers
from api.parameters import StrictRoute
from api.parts import parts_of
from api.problems import Problem
from api.wire import json_response

router = APIRouter(tags=["operation"], route_class=StrictRoute)
LAG_EVENTS_MAX = 20_000
"""Sequenced events that reports may lack while the service counts as ready."""


@router.get("/healthz", summary="Whether the process answers", response_class=Response,
            responses={200: {"model": Health}, **problem_answers(422)})  # fmt: skip
async def healthz() -> Response:
    """Answer without asking anything else."""
    return json_response({"status": "alive"})


@router.get("/readyz", summary="Whether postings and reports work", response_class=Response,
            responses={200: {"model": Readiness}, **problem_answers(422, 503)})  # fmt: skip
async def readyz(request: Request) -> Response:
    """Answer 200 when commands are taken, the database answers and reports keep up."""
    parts = parts_of(request)
    if not parts.ledger.appender.running:
        raise Problem("not-ready", "the ledger takes no commands")
    async with parts.ledger.database.connect("reader") as connection:
        committed: Any = await connection.fetchval("SELECT coalesce(max(last_sequence), 0) "
                                                   "FROM ledger.steps")  # fmt: skip
    shown, refused = await parts.runner.sequence(), parts.notary.refused
    head = await parts.evidence.checkpoint()
    if committed - shown > LAG_EVENTS_MAX:
        raise Problem("not-ready", f"reports lack {committed - shown} events",
                      sequence=shown, lag=committed - shown)  # fmt: skip
    return json_response({"status": "ready", "sequence": shown, "lag": max(0, committed - shown),
                          "waiting": parts.ledger.appender.waiting,
                          "signed": head.size if head else 0,
                          "witnessed": head.witnessed if head and parts.witnesses else None,
                          "not_signing": str(refused) if refused else None})  # fmt: skip
