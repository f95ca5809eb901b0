"""T7: HTTP postings against a trivial route, the batch endpoint against the appender."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httptools
import orjson

from api.assembly import Running, running
from api.settings import Settings
from tests.bench.country import documents
from tests.bench.ground import MOMENT, Ground, clock
from tests.bench.table import Row, compared

ROOT = Path(__file__).parents[2]
CALLERS = 64
BATCH = 3_000
HOMES = tempfile.TemporaryDirectory(prefix="qazyna-bench-homes-")
READY = re.compile(rb"ready at http://127\.0\.0\.1:(\d+)")


def environment(dsn: str = "", moment: str = MOMENT) -> dict[str, str]:
    """The variables of a process of ours on a database; its keys lie in a folder a database."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("QAZYNA_")}
    home = Path(HOMES.name) / sha256(dsn.encode()).hexdigest()[:16]
    return {**kept, "PYTHONPATH": str(ROOT), "DATABASE_URL": dsn, "QAZYNA_CLOCK": moment,
            "QAZYNA_HOME": str(home)}  # fmt: skip


class Served(NamedTuple):
    """A process that serves HTTP."""

    port: int
    pid: int


@asynccontextmanager
async def serving(*arguments: str, dsn: str = "") -> AsyncIterator[Served]:
    """Run a Python module that serves."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdout=asyncio.subprocess.PIPE,
        env=environment(dsn), cwd=ROOT,
    )  # fmt: skip
    try:
        told = READY.search(await process.stdout.readline())
        if told is None:
            raise RuntimeError(f"{arguments[0]} did not start")
        yield Served(int(told[1]), process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


class Connection(asyncio.Protocol):
    """One kept-alive HTTP connection; a client so thin that the server is what is measured."""

    def __init__(self) -> None:
        """Wait for `post`."""
        self.parser: Any = None
        self.transport: Any = None
        self.body = bytearray()
        self.answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self.parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request that waits."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(exc or ConnectionResetError("closed by the server"))

    def on_body(self, body: bytes) -> None:
        """Collect the body (called by the parser)."""
        self.body += body

    def on_message_complete(self) -> None:
        """Answer (called by the parser)."""
        self.answer.set_result((self.parser.get_status_code(), bytes(self.body)))

    async def post(self, path: str, body: bytes, media: str) -> tuple[int, bytes]:
        """Post a body; return status and body of the answer."""
        self.parser = httptools.HttpResponseParser(self)
        self.body.clear()
        self.answer = asyncio.get_running_loop().create_future()
        head = (f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {media}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n")  # fmt: skip
        self.transport.write(head.encode() + body)
        return await self.answer


async def post_singles(port: int, bodies: Sequence[bytes]) -> float:
    """Postings a second of many callers, one command each."""
    left, loop = iter(bodies), asyncio.get_running_loop()
    connections = [(await loop.create_connection(Connection, "127.0.0.1", port))[1]
                   for _ in range(CALLERS)]  # fmt: skip

    async def caller(connection: Connection) -> None:
        for body in left:
            status, answer = await connection.post("/v1/commands", body, "application/json")
            if status != 201:
                raise RuntimeError(f"{status}: {answer[:300]!r}")

    began = time.perf_counter()
    await asyncio.gather(*(caller(connection) for connection in connections))
    seconds = time.perf_counter() - began
    for connection in connections:
        connection.transport.close()
    return len(bodies) / seconds


async def post_batch(port: int, found: Sequence[dict]) -> float:
    """Commands a second through the batch endpoint, one request."""
    body = b"\n".join(orjson.dumps(one) for one in found)
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection, "127.0.0.1", port
    )
    began = time.perf_counter()
    status, answer = await connection.post("/v1/commands/batch", body, "application/x-ndjson")
    seconds = time.perf_counter() - began
    connection.transport.close()
    if status != 200 or answer.count(b'"status":"accepted"') != len(found):
        raise RuntimeError(f"{status}: {answer[:300]!r}")
    return len(found) / seconds


async def _inside(parts: Running, found: Sequence[dict]) -> float:
    """Commands a second of the same request to the appender, decoded before."""
    commands = [parts.ledger.read(one) for one in found]
    began = time.perf_counter()
    answers = await parts.ledger.submit(commands)
    seconds = time.perf_counter() - began
    if any(getattr(answer, "status", None) != "accepted" for answer in answers):
        raise RuntimeError("a command of the batch was not accepted")
    return len(found) / seconds


async def projected(dsn: str) -> None:
    """Wait until the projections have followed: a backlog would burden the next measurement."""
    connection = await asyncpg.connect(dsn)
    try:
        while await connection.fetchval(  # noqa: ASYNC110 - there is no event to wait for
            "SELECT (SELECT sum(position) FROM ledger.heads)"
            " > (SELECT sequence FROM budget_execution.checkpoint)"
            " OR (SELECT sum(position) FROM ledger.heads)"
            " > (SELECT sequence FROM audit_trail.checkpoint)"
        ):
            await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def t7(ground: Ground) -> list[Row]:
    """Single postings ÷ a trivial POST; the batch endpoint ÷ the appender in this process.

    Service and in-process ledger have the same parts: sequencer and projections run in both.
    """
    singles, batches = [], []
    async with AsyncExitStack() as stack:
        dsn, country = await stack.enter_async_context(ground.country())
        own, _ = await stack.enter_async_context(ground.country())
        service = await stack.enter_async_context(
            serving("api.cli", "serve", "--port", "0", dsn=dsn)
        )
        trivial = await stack.enter_async_context(serving("tests.bench.trivial"))
        beside = Settings(DATABASE_URL=own, home=ground.server.home.with_name("beside"))
        parts = await stack.enter_async_context(running(beside, clock=clock))
        many = min(ground.events // 2, 3000)
        for n in range(ground.rounds + 1):
            bodies = [orjson.dumps(one) for one in documents(country, many, n)]
            ours = await post_singles(service.port, bodies)
            await projected(dsn)
            singles.append((ours, await post_singles(trivial.port, bodies)))
            through = await post_batch(service.port, documents(country, BATCH, 100 + n))
            await projected(dsn)
            batches.append((through, await _inside(parts, documents(country, BATCH, 200 + n))))
            await projected(own)
    return [
        compared("T7", f"HTTP single posting, {CALLERS} connections ÷ a trivial POST",
                 "requests/s", singles[1:], must=0.5, aim=0.85),
        compared("T7", f"  batch endpoint, {BATCH} commands a request ÷ appender in process",
                 "commands/s", batches[1:], must=0.5, aim=0.85),
    ]  # fmt: skip
