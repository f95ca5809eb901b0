"""/checkpoint and /tile/…: the log as C2SP tlog-tiles says, for programs of others.

What is below /tile never changes and may be kept for ever; /checkpoint is new every second.
"""

from __future__ import annotations

import gzip

from fastapi import APIRouter, Request, Response

from api.documents import problem_answers
from api.parameters import StrictRoute
from api.parts import evidence_of
from ledger.errors import NotFound

router = APIRouter(tags=["evidence"], route_class=StrictRoute)
NOTE, TILE = "text/plain; charset=utf-8", "application/octet-stream"
FOR_EVER = "public, max-age=31536000, immutable"
MOMENT = "public, max-age=1"
WITNESSED = "Qazyna-Witnessed"
"""Header of a checkpoint: whether the quorum of the service's witnesses cosigned it."""
MARKED = {WITNESSED: {"description": "whether the quorum of witnesses cosigned it",
                      "schema": {"type": "string", "enum": ["true", "false"]}}}  # fmt: skip
BUNDLES = "entries/"


@router.get(
    "/checkpoint", summary="The newest signed checkpoint (C2SP tlog-checkpoint)",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "headers": MARKED},
               **problem_answers(404, 422, 503)},
)  # fmt: skip
async def get_checkpoint(request: Request) -> Response:
    """Answer the signed note of the newest published tree."""
    head = await evidence_of(request).checkpoint()
    if head is None:
        raise NotFound("unknown-checkpoint", "no checkpoint is published yet")
    marks = {"Cache-Control": MOMENT, WITNESSED: "true" if head.witnessed else "false"}
    return Response(head.note, media_type=NOTE, headers=marks)


@router.get(
    "/tile/{path:path}", summary="A tile or entry bundle (C2SP tlog-tiles)",
    response_class=Response,
    responses={200: {"content": {TILE: {"schema": {"type": "string", "format": "binary"}}}},
               **problem_answers(404, 422, 503)},
)  # fmt: skip
async def get_tile(request: Request, path: str) -> Response:
    """Answer a tile by level and index, or the leaves below one of level 0, of a published tree."""
    raw, headers = await evidence_of(request).tile(path), {"Cache-Control": FOR_EVER}
    if path.startswith(BUNDLES):
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            raw = gzip.compress(raw, mtime=0)
    return Response(raw, media_type=TILE, headers=headers)
