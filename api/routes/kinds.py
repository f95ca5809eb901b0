"""GET /v1/kinds: every event kind with the JSON Schema of its stored body."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response

from api.documents import KindPage, not_modified, problem_answers
from api.etag import report
from api.parameters import StrictRoute
from ledger.events import EVENTS, adapter

router = APIRouter(tags=["rules"], route_class=StrictRoute)


@router.get("/v1/kinds", summary="Event kinds", response_class=Response,
            responses={200: {"model": KindPage}, **not_modified(),
                       **problem_answers(422)})  # fmt: skip
async def get_kinds(request: Request) -> Response:
    """Return the closed registry of event kinds of this release."""
    return report(request, {"items": kinds()})


@cache
def kinds() -> list[dict[str, Any]]:
    """Return each kind: name, newest version, what it says, schema and an example body."""
    return [
        {"kind": kind, "version": cls.class_version, "description": (cls.__doc__ or "").strip(),
         "schema": adapter(cls).json_schema(by_alias=False), "example": dict(cls.example)}
        for kind, cls in sorted(EVENTS.items())
    ]  # fmt: skip
