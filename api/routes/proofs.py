"""/v1/checkpoints and /v1/proofs/…: proofs made for those who do not read tiles.

Hashes are Base64 as in C2SP's texts; every proof was checked against its root before it leaves.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from api import paging
from api.documents import (
    AbsenceDocument,
    CheckpointDocument,
    CheckpointPage,
    ConsistencyDocument,
    InclusionDocument,
    problem_answers,
)
from api.parameters import BudgetQuery, StrictRoute
from api.parts import evidence_of
from api.problems import Problem
from api.routes.tree import NOTE
from api.wire import json_response
from ledger.dates import to_iso
from ledger.errors import NotFound
from ledger.store.evidence import Evidence, Included, Joined, SignedHead

router = APIRouter(tags=["evidence"], route_class=StrictRoute)
Place = Annotated[int | None, Query(ge=1, le=2**62)]
Sequence = Annotated[
    int | None, Query(ge=1, le=2**62, description="of the event; else budget and position")
]
Size = Annotated[
    int | None, Query(ge=1, le=2**62, description="leaves of the tree; the newest published")
]
TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}}
PROBLEMS = problem_answers(404, 422, 500, 503)


@router.get("/v1/checkpoints", summary="Published checkpoints", response_class=Response,
            responses={200: {"model": CheckpointPage}, **problem_answers(422, 503)})  # fmt: skip
async def get_checkpoints(
    request: Request,
    after: Annotated[int, Query(ge=0, le=2**62, description="those of larger trees")] = 0,
    limit: paging.Limit = 100,
) -> Response:
    """Return checkpoints by tree size; the notes as they were signed."""
    found = await evidence_of(request).checkpoints(after, limit + 1)
    items, following = paging.page(found, limit, lambda head: head.size)
    return json_response({"items": [signed(head) for head in items], "next": following})


@router.get("/v1/checkpoints/{size}", summary="One published checkpoint", response_class=Response,
            responses={200: {"model": CheckpointDocument},
                       **problem_answers(404, 422, 503)})  # fmt: skip
async def get_checkpoint_of(
    request: Request, size: Annotated[int, Path(ge=1, le=2**62, examples=[1])]
) -> Response:
    """Return the checkpoint of a tree size."""
    head = await evidence_of(request).checkpoint(size)
    if head is None:
        raise NotFound("unknown-checkpoint", f"no checkpoint of size {size} is published")
    return json_response(signed(head))


@router.get("/v1/proofs/inclusion", summary="That an event is in the tree",
            response_class=Response,
            responses={200: {"model": InclusionDocument}, **PROBLEMS})  # fmt: skip
async def get_inclusion(
    request: Request, sequence: Sequence = None, budget: BudgetQuery = None,
    position: Place = None, size: Size = None,
) -> Response:  # fmt: skip
    """Prove an event in the newest published tree, or in the tree of a smaller size."""
    evidence = evidence_of(request)
    place = await _place(evidence, sequence, budget, position)
    return json_response(inclusion(await evidence.included(place, size)))


@router.get("/v1/proofs/inclusion.tlog-proof", summary="The same as a file (C2SP tlog-proof)",
            response_class=Response, responses={200: TEXT, **PROBLEMS})  # fmt: skip
async def get_inclusion_file(
    request: Request, sequence: Sequence = None, budget: BudgetQuery = None,
    position: Place = None, size: Size = None,
) -> Response:  # fmt: skip
    """Prove an event under a published checkpoint; the file carries leaf and checkpoint."""
    evidence = evidence_of(request)
    place = await _place(evidence, sequence, budget, position)
    name = f'attachment; filename="event-{place}.tlog-proof"'
    return Response(await evidence.tlog_proof(place, size), media_type=NOTE,
                    headers={"Content-Disposition": name})  # fmt: skip


@router.get("/v1/proofs/consistency", summary="That one tree is the beginning of another",
            response_class=Response,
            responses={200: {"model": ConsistencyDocument}, **PROBLEMS})  # fmt: skip
async def get_consistency(
    request: Request,
    old: Annotated[int, Query(ge=0, le=2**62, description="leaves of the smaller tree")],
    new: Size = None,
) -> Response:
    """Prove that nothing of the smaller tree was changed or taken out of the larger one."""
    return json_response(consistency(await evidence_of(request).joined(old, new)))


@router.get("/v1/proofs/consistency.txt", summary="The same as a file (C2SP tlog-witness)",
            response_class=Response, responses={200: TEXT, **PROBLEMS})  # fmt: skip
async def get_consistency_file(
    request: Request,
    old: Annotated[int, Query(ge=0, le=2**62, description="leaves of the smaller tree")],
    new: Size = None,
) -> Response:
    """Prove it under a published checkpoint, in the form in which a witness is asked."""
    return Response(await evidence_of(request).consistency_file(old, new), media_type=NOTE)


@router.get("/v1/proofs/absence", summary="That an event was not in the tree yet",
            response_class=Response,
            responses={200: {"model": AbsenceDocument}, **PROBLEMS})  # fmt: skip
async def get_absence(
    request: Request,
    before: Annotated[int, Query(ge=1, le=2**62, description="leaves of the earlier tree")],
    sequence: Sequence = None, budget: BudgetQuery = None, position: Place = None,
) -> Response:  # fmt: skip
    """Prove that the tree of `before` leaves did not hold an event that is in the newest one.

    The event's index is not below `before`, and the earlier tree is the beginning of the newest.
    """
    evidence = evidence_of(request)
    place = await _place(evidence, sequence, budget, position)
    if place <= before:
        raise Problem("in-tree", f"the tree of {before} leaves holds the event: it is the "
                      f"{place}th", sequence=place, size=before)  # fmt: skip
    found = await evidence.included(place)
    joined = await evidence.joined(before, found.size)
    return json_response({"before": before, "inclusion": inclusion(found),
                          "consistency": consistency(joined)})  # fmt: skip


async def _place(
    evidence: Evidence, sequence: int | None, budget: str | None, position: int | None
) -> int:
    """Return the sequence that is asked for, directly or by the place in a budget."""
    if (budget is None) != (position is None) or (sequence is None) == (budget is None):
        raise Problem("invalid-parameter", "name an event by its sequence, or by budget and "
                      "position", errors=[])  # fmt: skip
    if sequence is not None:
        return sequence
    return await evidence.sequence_of(str(budget), int(position or 0))


def signed(head: SignedHead) -> dict[str, Any]:
    """Return a checkpoint as JSON types."""
    return {"size": head.size, "root": encoded(head.root), "witnessed": head.witnessed,
            "published_at": to_iso(head.made_at), "note": head.note.decode()}  # fmt: skip


def inclusion(found: Included) -> dict[str, Any]:
    """Return an inclusion proof as JSON types."""
    return {"sequence": found.sequence, "index": found.sequence - 1, "size": found.size,
            "root": encoded(found.root), "leaf": found.leaf.decode(),
            "hashes": [encoded(one) for one in found.hashes],
            "checkpoint": found.head.note.decode() if found.head else None}  # fmt: skip


def consistency(found: Joined) -> dict[str, Any]:
    """Return a consistency proof as JSON types."""
    return {"old": found.old, "new": found.new, "old_root": encoded(found.old_root),
            "new_root": encoded(found.new_root),
            "hashes": [encoded(one) for one in found.hashes]}  # fmt: skip


def encoded(raw: bytes) -> str:
    """Write a hash as C2SP's texts do."""
    return base64.b64encode(raw).decode()
