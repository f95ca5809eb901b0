"""The feed: pages by sequence, resumable, long poll, server-sent events; bodies can be hashed."""

import asyncio
import json

import pytest

from ledger.events import link, log_id

BUDGET = "KZ-2025-feed"


@pytest.fixture(scope="module")
async def opened(service, command):
    service.clock.set("2025-01-10")
    return await service.accept(
        command(
            "OpenBudget",
            BUDGET,
            "treasury",
            "2025-01-10",
            region=19,
            level=3,
            year=2025,
            title="Feed",
        )
    )


@pytest.fixture
def receipt(command):
    return lambda: command(
        "OpenSpecialAccount",
        BUDGET,
        "treasury",
        "2025-01-10",
        account=f"K-{id(object())}",
        purpose="p",
        owner="o-1",
        effective_from="2025-01-10",
    )


async def every(service, limit, **more):
    """All events by pages."""
    items, after = [], 0
    while True:
        page = await service.report("/v1/events", after=after, limit=limit, **more)
        if not page["items"]:
            assert page["next"] == after
            return items
        items += page["items"]
        after = page["next"]


async def until_sequenced(service):
    total = await service.events()
    if total:
        await service.report("/v1/events", after=total - 1, wait_seconds=30)
    return await every(service, 1000)


async def test_pages_of_any_size_give_every_event_once(service, opened):
    found = await until_sequenced(service)
    assert [item["sequence"] for item in found] == list(range(1, len(found) + 1))
    assert await every(service, 2) == found


async def test_feed_of_a_budget_is_its_chain(service, opened):
    await until_sequenced(service)
    found = await every(service, 2, budget=BUDGET)
    assert [item["position"] for item in found] == list(range(1, len(found) + 1))
    previous = b""
    for item in found:
        previous = link(previous, log_id(BUDGET), item["position"], item["body"].encode())
        assert item["hash"] == previous.hex()
        assert json.loads(item["body"])["kind"] == item["kind"]


async def test_long_poll_waits_for_the_next_event(service, opened, command):
    after = (await until_sequenced(service))[-1]["sequence"]
    waiting = asyncio.create_task(service.report("/v1/events", after=after, wait_seconds=30))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    posted = await service.accept(command(
        "OpenSpecialAccount", BUDGET, "treasury", "2025-01-10", account="K-1", purpose="p",
        owner="o-1", effective_from="2025-01-10"))  # fmt: skip
    page = await waiting
    assert [item["command_id"] for item in page["items"]] == [posted["command_id"]]


async def test_long_poll_ends_empty(service, opened):
    after = (await until_sequenced(service))[-1]["sequence"]
    page = await service.report("/v1/events", after=after, wait_seconds=1)
    assert page == {"items": [], "next": after}


async def stream(service, count, **headers):
    """Ids and data of the first events of a stream."""
    found = []
    async with service.client.stream(
        "GET", "/v1/events", headers={"Accept": "text/event-stream", **headers}
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                found.append([int(line[4:])])
            if line.startswith("data: "):
                found[-1].append(json.loads(line[6:]))
            if len(found) == count and len(found[-1]) == 2:
                return found
    return found


async def test_stream_resumes_after_the_last_event_id(service, opened):
    items = await until_sequenced(service)
    found = await stream(service, 3)
    assert found == [[item["sequence"], item] for item in items[:3]]
    assert await stream(service, 1, **{"Last-Event-ID": "2"}) == found[2:]


@pytest.mark.parametrize(("asked", "status", "code"), [
    ({"after": -1}, 422, "invalid-parameter"), ({"after": 2**70}, 422, "invalid-parameter"),
    ({"limit": 0}, 422, "invalid-parameter"), ({"limit": 1001}, 422, "invalid-parameter"),
    ({"wait_seconds": 61}, 422, "invalid-parameter"), ({"since": 1}, 422, "unknown-parameter"),
    ({"budget": "KZ-2025-nowhere"}, 404, "unknown-budget"),
    ({"budget": "no code"}, 422, "invalid-parameter"),
])  # fmt: skip
async def test_question_that_cannot_be_read_is_a_problem(service, asked, status, code):
    answer = await service.get("/v1/events", **asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
