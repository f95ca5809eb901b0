"""GET /v1/events: everything that happened, by sequence; as pages, by long poll or as SSE.

Each item has the exact stored body as text, so that a reader can hash it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from api import paging
from api.documents import EventPage, problem_answers
from api.parameters import BudgetQuery, StrictRoute
from api.parts import ledger_of
from api.wire import json_response
from ledger.dates import to_iso
from ledger.service import Ledger
from ledger.store.read import FeedEvent

router = APIRouter(tags=["events"], route_class=StrictRoute)
SSE = "text/event-stream"
WAIT_SECONDS_MAX = 60
POLL_SECONDS, ASK_SECONDS = 0.05, 1.0
"""How often a waiting reader looks at this process's sequencer, and asks the database."""
BEAT_SECONDS = 15.0
STREAM_SECONDS = 600.0
"""A stream ends after this long; the client comes back with Last-Event-ID."""


@router.get(
    "/v1/events",
    summary="Events by sequence",
    response_class=Response,
    responses={
        200: {"model": EventPage, "description": "A page, or with `Accept: text/event-stream` a "
              "stream: `id` is the sequence, `event` the kind, `data` the item",
              "content": {SSE: {"schema": {"type": "string"}}}},
        **problem_answers(404, 422, 503),
    },
)  # fmt: skip
async def get_events(
    request: Request,
    after: paging.AfterSequence = 0,
    limit: paging.Limit = 100,
    budget: BudgetQuery = None,
    wait_seconds: Annotated[
        int, Query(ge=0, le=WAIT_SECONDS_MAX, description="wait so long for a first item")
    ] = 0,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=2**62, description="resumes a stream after a sequence")
    ] = None,
) -> Response:
    """Return events after a sequence; the same question gives the same events for ever."""
    ledger = ledger_of(request)
    if budget is not None:
        await ledger.position(budget)
    if SSE in request.headers.get("accept", ""):
        start = after if last_event_id is None else last_event_id
        return StreamingResponse(_stream(ledger, start, limit, budget), media_type=SSE,
                                 headers={"Cache-Control": "no-cache"})  # fmt: skip
    found = await _waited(ledger, after, limit, budget, wait_seconds)
    items = [document(item) for item in found]
    return json_response({"items": items, "next": found[-1].sequence if found else after})


async def _waited(
    ledger: Ledger, after: int, limit: int, budget: str | None, seconds: float
) -> list[FeedEvent]:
    """Return events after a sequence, waiting a while for the first."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    found = await ledger.events(after, limit, budget)
    seen, asked = ledger.sequencer.last_sequence, loop.time()
    while not found and loop.time() < until:
        await asyncio.sleep(POLL_SECONDS)
        last = ledger.sequencer.last_sequence
        if last > seen or loop.time() - asked > ASK_SECONDS:
            found = await ledger.events(after, limit, budget)
            seen, asked = last, loop.time()
    return found


async def _stream(
    ledger: Ledger, after: int, limit: int, budget: str | None
) -> AsyncIterator[bytes]:
    """Yield events as server-sent events, with a comment when nothing happens for a while."""
    loop = asyncio.get_running_loop()
    until = loop.time() + STREAM_SECONDS
    yield b"retry: 1000\n\n"
    while loop.time() < until:
        found = await _waited(ledger, after, limit, budget, BEAT_SECONDS)
        if not found:
            yield b": nothing new\n\n"
            continue
        yield b"".join(
            b"id: %d\nevent: %s\ndata: %s\n\n"
            % (item.sequence, item.kind.encode(), orjson.dumps(document(item)))
            for item in found
        )
        after = found[-1].sequence


def document(item: FeedEvent) -> dict[str, Any]:
    """Return one event as JSON types; `body` is the stored text, byte for byte."""
    return {
        "sequence": item.sequence, "budget": item.budget, "position": item.position,
        "kind": item.kind, "command_id": str(item.command_id),
        "recorded_at": to_iso(item.recorded_at), "hash": item.hash.hex(),
        "body": item.body.decode(),
    }  # fmt: skip
