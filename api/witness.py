"""The witness as an HTTP service (tlog-witness): no ledger, no database, one folder of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ledger.proofs.verify import NOTE_BYTES_MAX, ProofError
from ledger.proofs.witness import Rejected, Witness

log = logging.getLogger(__name__)
SIZE_TYPE = "text/x.tlog.size"
"""Media type of the 409 answer: the size that was cosigned last, and a newline."""


def posix_clock() -> int:
    """Return the time as seconds since 1970 UTC."""
    return int(time.time())


class _Doors:
    """The handlers around one witness; its files are used by one thread, one request after another.

    A request whose client has gone is still finished by that thread before the next one begins,
    so reading the last size and writing the new one stay one step.
    """

    def __init__(self, witness: Witness, clock: Callable[[], int]) -> None:
        """Take the witness and a clock of POSIX seconds."""
        self.witness = witness
        self.clock = clock
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="witness")

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Finish what was begun when the service ends."""
        yield
        self.thread.shutdown(wait=True)

    async def add_checkpoint(self, request: Request) -> Response:
        """Answer `POST /add-checkpoint`: 200, 400, 403, 404, 409, 422, or 500 for its own disk."""
        body = await _body(request)
        if body is None:
            return _text(413, f"a request has at most {NOTE_BYTES_MAX} bytes")
        work = asyncio.get_running_loop().run_in_executor(self.thread, self._sign, body)
        try:
            return _text(200, (await work).decode())
        except Rejected as error:
            if error.status == 422:  # noqa: PLR2004 - signed by the log: it may be evidence
                log.warning("not cosigned: %s; asked: %r", error, body)
            else:
                log.debug("not cosigned, %s: %s", error.status, error)
            if error.size is not None:
                return Response(f"{error.size}\n", 409, media_type=SIZE_TYPE)
            return _text(error.status, f"{error}\n")
        except (OSError, ProofError) as error:
            log.critical("nothing is cosigned: %s", error)
            return _text(500, "this witness cannot keep its record\n")

    def _sign(self, body: bytes) -> bytes:
        """Cosign at the time of the turn, not of the arrival."""
        return self.witness.add_checkpoint(body, self.clock())

    async def checkpoint(self, request: Request) -> Response:
        """Answer the last cosigned checkpoint of a log, named by its origin's SHA-256."""
        digest = request.path_params["digest"]
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self.thread, self.witness.checkpoint, digest)
        except (OSError, ProofError) as error:
            log.critical("a record cannot be read: %s", error)
            return _text(500, "this witness cannot read its record\n")
        if found is None:
            return _text(404, "no checkpoint of this log was cosigned\n")
        return Response(found, media_type="text/plain", headers={"cache-control": "no-cache"})

    async def healthz(self, _: Request) -> Response:
        """Answer while the process does, with the witness's public key."""
        return _text(200, f"{self.witness.signer.key.text}\n")


def create_witness(witness: Witness, clock: Callable[[], int] = posix_clock) -> Starlette:
    """Return the service around a witness: submission and monitoring prefix are the same."""
    doors = _Doors(witness, clock)
    return Starlette(
        routes=[
            Route("/add-checkpoint", doors.add_checkpoint, methods=["POST"]),
            Route("/{digest:str}/checkpoint", doors.checkpoint, methods=["GET"]),
            Route("/healthz", doors.healthz, methods=["GET"]),
        ],
        lifespan=doors.lifespan,
    )


async def _body(request: Request) -> bytes | None:
    """Read a body, or return None as soon as it is longer than any request may be.

    Starlette ends the request of a client that goes away meanwhile.
    """
    whole = bytearray()
    async for part in request.stream():
        whole += part
        if len(whole) > NOTE_BYTES_MAX:
            return None
    return bytes(whole)


def _text(status: int, text: str) -> Response:
    """Return a plain text."""
    return PlainTextResponse(text, status)
