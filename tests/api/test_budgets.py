"""Budgets: pages in the order of their codes, and what a budget is."""

import pytest

CODES = [f"KZ-2025-b{number}" for number in range(5)]


@pytest.fixture(scope="module")
async def opened(service, command):
    service.clock.set("2025-01-10")
    for code in CODES:
        await service.accept(
            command(
                "OpenBudget",
                code,
                "treasury",
                "2025-01-10",
                region=19,
                level=3,
                year=2025,
                title=code.upper(),
                parent=CODES[0],
            )
        )
    return CODES


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
async def test_pages_of_any_size_give_every_budget_once(service, opened, limit):
    found, after = [], ""
    while after is not None:
        page = await service.report("/v1/budgets", after=after, limit=limit)
        found += page["items"]
        assert len(page["items"]) <= limit
        after = page["next"]
    assert [item["budget"] for item in found] == [*CODES, "rulebook"]


async def test_budget_says_what_it_is_and_how_far_its_log_goes(service, opened):
    found = await service.report(f"/v1/budgets/{CODES[1]}")
    assert found == {
        "budget": CODES[1], "position": 1, "hash": found["hash"], "year": 2025, "region": 19,
        "level": 3, "title": CODES[1].upper(), "parent": CODES[0], "stage": "opened",
        "legislated_on": None,
    }  # fmt: skip


async def test_unknown_budget_is_not_found(service):
    answer = await service.get("/v1/budgets/KZ-2025-nowhere")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-budget")


async def test_equal_questions_have_equal_etags(service, opened):
    answer = await service.get("/v1/budgets")
    again = await service.client.get(
        "/v1/budgets", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304


async def test_page_after_an_odd_text_is_a_page_or_a_problem(service, opened):
    assert (await service.get("/v1/budgets", after="ж")).status_code == 200
    assert (await service.get("/v1/budgets", after="a\0")).status_code == 422
