"""POST /v1/commands/batch: up to 10 000 commands, one verdict each, streamed back in order.

The commands are decided in their order. Chunks are handed to the ledger while earlier ones are
still being written, so that one client can keep it busy.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from api import problems, wire
from api.documents import problem_answers
from api.parameters import StrictRoute
from api.parts import ledger_of, receipting_of
from api.problems import Problem
from api.routes.commands import BODY, verdict
from api.routes.receipts import Issue, Wanted, receipts
from ledger.errors import Invalid, LedgerError
from ledger.events import Command
from ledger.service import Ledger
from ledger.store.answers import Answer
from ledger.store.waiting import Long

router = APIRouter(tags=["commands"], route_class=StrictRoute)
COMMANDS_MAX = 10_000
CHUNK = 256
"""Commands decided together; the first verdicts come after the first chunk."""
AHEAD = 4
"""Chunks handed to the ledger before the oldest is answered."""

Atomic = Annotated[bool, Query(description="write all commands or none")]
Entry = bytes | Any
"""A line of NDJSON, or an element of an array: its JSON value or its problem."""
Results = Sequence[Answer | LedgerError]


@router.post(
    "/v1/commands/batch",
    summary="Post many commands",
    response_class=Response,
    responses={
        200: {
            "description": "One line for each command, in order: `Verdict` when accepted, else "
                           "the problem that posting it alone gives, with `item` from 1",
            "content": {wire.NDJSON: {"schema": {"type": "string"}}},
        },
        **problem_answers(422, 503, *BODY),
    },
    openapi_extra={"x-body": "batch"},
)  # fmt: skip
async def post_batch(
    request: Request,
    atomic: Atomic = False,  # noqa: FBT002 - a query parameter
    receipt: Wanted = False,  # noqa: FBT002 - the same
) -> Response:
    """Stream a verdict for each command; one that cannot be read does not stop the others."""
    media = wire.media_type(request, wire.JSON, wire.NDJSON)
    body = await wire.read_body(request, wire.BATCH_BYTES_MAX)
    entries = _lines(body) if media == wire.NDJSON else wire.read_array(body, COMMANDS_MAX)
    ledger = ledger_of(request)
    sign = receipting_of(request).issue if receipt else None
    answers = _atomic(ledger, entries, sign) if atomic else _streamed(ledger, entries, sign)
    return StreamingResponse(answers, media_type=wire.NDJSON)


def _lines(body: bytes) -> list[Entry]:
    """Split NDJSON into its lines; empty ones count for nothing."""
    lines: list[Entry] = [line for line in body.split(b"\n") if line.strip()]
    if len(lines) > COMMANDS_MAX:
        raise Problem("too-many-commands", f"a batch has at most {COMMANDS_MAX} commands",
                      commands_max=COMMANDS_MAX)  # fmt: skip
    return lines


def _read(ledger: Ledger, entry: Entry) -> Command | Problem:
    """Read one entry as a command, or say what is wrong with it."""
    try:
        document = wire.read_json(entry) if isinstance(entry, bytes) else entry
        if isinstance(document, Problem):
            return document
        if not isinstance(document, dict):
            raise Invalid("a command is a JSON object", errors=[])  # noqa: TRY301
        return ledger.read(document)
    except Problem as problem:
        return problem
    except Invalid as error:
        return problems.of_error(error)


async def _atomic(ledger: Ledger, entries: list[Entry], sign: Issue | None) -> AsyncIterator[bytes]:
    """Decide all commands as one: everything is written or nothing."""
    read: list[Command | Problem] = []
    for start in range(0, len(entries), CHUNK):
        read += [_read(ledger, entry) for entry in entries[start : start + CHUNK]]
        await asyncio.sleep(0)
    commands = [item for item in read if not isinstance(item, Problem)]
    if len(commands) == len(read):
        results = await _submit(ledger, commands, atomic=True)
    else:
        gone = "another command of the atomic request cannot be read"
        results = [_Withheld(gone, command_id=str(c.command_id)) for c in commands]
    yield _verdicts(ledger, read, results, 1, await _signed(results, sign))


class _Withheld(LedgerError):
    """Nothing was stored, because another command of the request stood in the way."""

    code = "withheld"


async def _streamed(
    ledger: Ledger, entries: list[Entry], sign: Issue | None
) -> AsyncIterator[bytes]:
    """Decide chunk after chunk, some ahead of the answers; keep the order of the commands.

    Once a chunk could not be decided and may be sent again, no later one is.
    """
    under_way: deque[tuple[list[Command | Problem], int, asyncio.Future[Results]]] = deque()
    long = Long()

    async def oldest() -> bytes:
        read, first, task = under_way.popleft()
        results = await task
        return _verdicts(ledger, read, results, first, await _signed(results, sign))

    for start in range(0, len(entries), CHUNK):
        read = [_read(ledger, entry) for entry in entries[start : start + CHUNK]]
        commands = [item for item in read if not isinstance(item, Problem)]
        task = asyncio.ensure_future(_submit(ledger, commands, long=long))
        under_way.append((read, start + 1, task))
        await asyncio.sleep(0)  # the task runs to its place in the queue
        while under_way and (len(under_way) >= AHEAD or under_way[0][2].done()):
            yield await oldest()
    while under_way:
        yield await oldest()


async def _submit(
    ledger: Ledger, commands: list[Command], *, atomic: bool = False, long: Long | None = None
) -> Results:
    """Submit commands; what the ledger does not take is the answer of each."""
    try:
        return await ledger.submit(commands, atomic=atomic, long=long)
    except LedgerError as error:
        return [error] * len(commands)


async def _signed(results: Results, sign: Issue | None) -> dict[int, dict[str, str | None]]:
    """Return, by place, what receipts add to the verdicts; nothing where none was asked for."""
    if sign is None:
        return {}
    answers = {place: result for place, result in enumerate(results) if isinstance(result, Answer)}
    papers = await receipts(sign, list(answers.values()))
    return {place: {"receipt": paper} for place, paper in zip(answers, papers, strict=True)}


def _verdicts(
    ledger: Ledger, read: list[Command | Problem], results: Results, first: int,
    signed: dict[int, dict[str, str | None]],
) -> bytes:  # fmt: skip
    """Return one line of JSON for each entry; `first` is the number of the first."""
    return b"".join(_lines_of(ledger, read, results, first, signed))


def _lines_of(
    ledger: Ledger, read: list[Command | Problem], results: Results, first: int,
    signed: dict[int, dict[str, str | None]],
) -> Iterator[bytes]:  # fmt: skip
    """Yield each entry's verdict with its newline."""
    decided = enumerate(results)
    for number, item in enumerate(read, first):
        place, result = (-1, item) if isinstance(item, Problem) else next(decided)
        if isinstance(result, Answer):
            if result.status == "accepted":
                document = verdict(result)
            else:
                document = {**problems.of_refusal(result, ledger.digits), "item": number}
            document |= signed.get(place, {})
        else:
            problem = problems.of_error(result) if isinstance(result, LedgerError) else result
            document = {**problem.document(), "item": number}
            if not isinstance(item, Problem):
                document["command_id"] = str(item.command_id)
        yield orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
