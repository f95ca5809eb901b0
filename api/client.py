"""One way to ask a ledger: its HTTP interface, over the network or inside this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson

from api.assembly import Running, running
from api.home import Place
from api.settings import Settings
from ledger.errors import Unavailable

INSIDE = "http://qazyna.invalid"
"""Address of the service inside this process; never resolved."""
TIMEOUT = httpx.Timeout(600, connect=5)
NDJSON = "application/x-ndjson"
BUDGET, EVENTS, RULEBOOK = "/v1/budgets/{budget}", "/v1/events", "/v1/rulebook"
EXECUTION, TRANSFERS = "/v1/budgets/{budget}/execution", "/v1/budgets/{budget}/transfers"
EXEMPT, WARNINGS = "/v1/budgets/{budget}/exempt", "/v1/budgets/{budget}/warnings"
TRAIL, ACCOUNT = "/v1/audit", "/v1/budgets/{budget}/accounts/{account}"
APPLIED_SECONDS = 600.0
"""Longest wait for reports that are built from a long history."""
Parameters = Mapping[str, Any]


class RemoteProblem(Exception):
    """A service answered with a problem document."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Keep the document as it came."""
        super().__init__(str(document.get("detail", "")))
        self.document = document


@asynccontextmanager
async def remote(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Connect to a running service."""
    async with httpx.AsyncClient(base_url=url.rstrip("/"), timeout=TIMEOUT) as client:
        yield client


@asynccontextmanager
async def inside(
    settings: Settings, place: Place, *, applied: bool = False
) -> AsyncIterator[httpx.AsyncClient]:
    """Run the service in this process without a port; `applied` waits for its reports."""
    from api.app import create_app  # noqa: PLC0415 - a third of a second that `load` need not wait

    async with running(place.settings(settings)) as parts:
        if applied:
            await _apply(parts)
        app = create_app(settings, parts=parts)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=INSIDE,
                              timeout=TIMEOUT) as client,
        ):  # fmt: skip
            yield client


async def _apply(parts: Running) -> None:
    """Wait until the reports show everything that is sequenced now."""
    async with parts.ledger.database.connect("reader") as connection:
        last = await connection.fetchval("SELECT coalesce(max(last_sequence), 0) FROM ledger.steps")
    deadline = time.monotonic() + APPLIED_SECONDS
    while await parts.runner.sequence() < last:
        if time.monotonic() > deadline:
            raise Unavailable("the reports are being built; ask again later")
        await asyncio.sleep(0.01)


async def get(client: httpx.AsyncClient, path: str, parameters: Parameters) -> Any:
    """Ask a question. Raises `RemoteProblem`."""
    given = {name: value for name, value in parameters.items() if value not in (None, [], ())}
    return answer(await client.get(path, params=given))


def answer(response: httpx.Response) -> Any:
    """Return an answer's document. Raises `RemoteProblem`."""
    if response.is_success:
        return read(response)
    raise RemoteProblem(problem(response))


def read(response: httpx.Response) -> Any:
    """Return a JSON body; one that is no JSON is a problem."""
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        raise RemoteProblem(
            {"code": "no-service", "status": 502, "detail": f"{response.url} is no Qazyna service"}
        ) from None


def problem(response: httpx.Response) -> dict[str, Any]:
    """Return the problem document of an answer, or one that says what came instead."""
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict) and "code" in found:
        return found
    return {
        "code": "no-service",
        "status": response.status_code if response.is_error else 502,
        "detail": f"{response.url} answered {response.status_code}, not as Qazyna does",
    }


async def verdicts(
    client: httpx.AsyncClient, body: bytes, media: str, *, atomic: bool, receipt: bool = False
) -> list[dict[str, Any]]:
    """Post a batch and return a verdict or problem for each command, in order."""
    response = await client.post(
        "/v1/commands/batch", content=body, headers={"content-type": media},
        params={**({"atomic": "true"} if atomic else {}),
                **({"receipt": "true"} if receipt else {})},
    )  # fmt: skip
    if not response.is_success:
        raise RemoteProblem(problem(response))
    return list(_lines(response))


def _lines(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """Yield the documents of an NDJSON answer."""
    for line in response.content.splitlines():
        yield orjson.loads(line)
