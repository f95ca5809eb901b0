"""Endpoints called without the router: which ones, and that nobody can tell from the answer."""

import asyncio
import json

import httpx
import pytest

from api.app import create_app
from api.direct import Direct
from api.routes import ROUTERS, batch, commands
from api.settings import Settings
from api.wire import COMMAND_BYTES_MAX

ROUTES = [route for router in ROUTERS for route in router.routes]
NDJSON = "application/x-ndjson"
POSTED = {
    "no command": (b"{}", "application/json"),
    "not JSON": (b"{", "application/json"),
    "a list": (b"[]", "application/json"),
    "a key twice": (b'{"a":1,"a":2}', "application/json"),
    "another media type": (b"{}", "text/plain"),
    "another charset": (b"{}", "application/json; charset=latin-1"),
    "lines": (b"{}\n{", NDJSON),
    "a budget that is not open": (
        json.dumps({"command": "CreditReceipt", "budget": "KZ-2025-nowhere"}).encode(),
        "application/json",
    ),
}


def test_postings_go_directly_and_what_needs_a_path_or_a_query_does_not():
    table = Direct(None, ROUTES).routes
    assert table["POST", "/v1/commands"].endpoint is commands.post_command
    assert table["POST", "/v1/commands/batch"].endpoint is batch.post_batch
    for route in table.values():
        assert "{" not in route.path
        assert not any(field.field_info.is_required() for field in route.dependant.query_params)


@pytest.mark.parametrize("path", ["/v1/commands", "/v1/commands/batch"])
@pytest.mark.parametrize("case", POSTED)
async def test_an_answer_is_the_same_as_the_routers(service, path, case):
    """`?receipt=false` is the default and leads through the router."""
    body, media = POSTED[case]
    direct, routed = [
        await service.client.post(path + query, content=body, headers={"content-type": media})
        for query in ("", "?receipt=false")
    ]
    assert (direct.status_code, direct.content) == (routed.status_code, routed.content)
    assert dict(direct.headers) == {**routed.headers, "date": direct.headers["date"]}


async def test_another_method_and_a_wrong_query_are_answered_by_the_router(service):
    assert (await service.client.get("/v1/commands")).status_code == 405
    answer = await service.client.post("/v1/commands?recipt=true", content=b"{}")
    assert answer.json()["code"] == "unknown-parameter"


async def test_both_ways_are_measured_under_the_route(service):
    async def counted() -> float:
        name = 'qazyna_request_seconds_count{method="POST",route="/v1/commands",status="400"}'
        lines = (await service.client.get("/metrics")).text.splitlines()
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before = await counted()
    for query in ("", "?receipt=false"):
        await service.client.post(f"/v1/commands{query}", json=None, content=b"{",
                                  headers={"content-type": "application/json"})  # fmt: skip
    assert await counted() == before + 2


async def test_a_body_whose_last_part_is_too_large_is_answered_without_waiting_for_more():
    answered: list[dict] = []
    parts = iter([b"x" * COMMAND_BYTES_MAX, b"x"])

    async def receive() -> dict:
        part = next(parts, None)
        if part is None:
            await asyncio.Event().wait()  # as a server does: the request is whole
        return {"type": "http.request", "body": part, "more_body": len(part) > 1}

    async def send(message: dict) -> None:
        answered.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/commands", "query_string": b"",
             "headers": [(b"content-type", b"application/json")]}  # fmt: skip
    app = create_app(Settings(), parts=object())
    app.state.running = type("Parts", (), {"ledger": None})
    async with asyncio.timeout(20):
        await app(scope, receive, send)
    assert answered[0]["status"] == 413


async def test_a_failure_of_an_endpoint_is_a_problem_too(service, monkeypatch):
    monkeypatch.delattr(service.app.state, "running")
    try:
        answer = await service.client.post("/v1/commands", content=b"{}")
    except httpx.HTTPError:
        pytest.fail("the connection was closed without an answer")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
