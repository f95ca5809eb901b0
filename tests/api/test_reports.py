"""Reports on the documented examples: lines, transfers, accounts, exemptions, warnings, audit."""

import asyncio
from uuid import uuid4

import pytest

from api.examples import ACCOUNT, EXAMPLES, OBLAST, RAYON, ROADS, SCHOOLS, TAX

BY_NAME = {example["command"]: example for example in EXAMPLES}


@pytest.fixture(scope="module")
async def shown(service) -> str:
    """`at_least` of the last example on the rayon's budget."""
    service.clock.set("2025-02-18")
    last = {}
    for example in EXAMPLES:
        last[example["budget"]] = await service.accept(example)
    runner = service.app.state.running.runner
    for budget, answer in last.items():
        await runner.wait_for(budget, answer["position"])
    return f"{RAYON}:{last[RAYON]['position']}"


async def test_lines_come_in_the_order_of_their_first_use(service, shown):
    path = f"/v1/budgets/{RAYON}/lines"
    found = await service.report(path, at_least=shown)
    assert [item["line"] for item in found["items"]][:4:3] == [TAX, ROADS]
    assert found["next"] is None
    titles = {tuple(item["line"]): item["title"] for item in found["items"]}
    assert titles[tuple(SCHOOLS)] == "Общеобразовательное обучение"
    one = await service.report(path, limit=1)
    rest = await service.report(path, after=one["next"])
    assert one["items"] + rest["items"] == found["items"]
    spending = await service.report(path, prefix="expenditure")
    assert [item["line"] for item in spending["items"]] == [SCHOOLS, ROADS]


async def test_pairing_shows_what_each_act_says_and_what_moved(service, shown):
    found = await service.report(f"/v1/budgets/{RAYON}/transfers", at_least=shown)
    [pair] = found["pairs"]
    assert (pair["payer"], pair["receiver"], pair["transfer"]) == (OBLAST, RAYON, "subvention")
    assert (pair["payer_says"]["amount"], pair["receiver_says"]) == ("500000.00", None)
    assert (pair["difference"], pair["sent"], pair["received"]) == (None, "50000.00", "50000.00")
    assert (await service.report(f"/v1/budgets/{OBLAST}/transfers"))["pairs"] == [pair]
    earlier = await service.report(f"/v1/budgets/{OBLAST}/transfers", adopted="2024-12-01")
    assert earlier["pairs"] == []


async def test_statement_ends_with_the_balance(service, shown):
    path = f"/v1/budgets/{RAYON}/accounts/{ACCOUNT}"
    found = await service.report(path, at_least=shown)
    assert (found["status"], found["balance"], found["purpose"]) == ("closed", "0.00", "greening")
    assert [(m["amount"], m["balance"]) for m in found["movements"]] == [
        ("0.00", "0.00"), ("7000.00", "7000.00"), ("-7000.00", "0.00"), ("0.00", "0.00"),
    ]  # fmt: skip
    missing = await service.get(f"/v1/budgets/{RAYON}/accounts/K-404")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown-account")


async def test_exempt_lines_and_the_headroom_below_the_threshold(service, shown):
    found = await service.report(f"/v1/budgets/{RAYON}/exempt", at_least=shown)
    exempt = {tuple(item["line"]): item["exempt"] for item in found["lines"]}
    assert exempt == {tuple(SCHOOLS): True, tuple(ROADS): False}
    assert (found["exempt"], found["cuttable"]) == ("1100000.00", "1000000.00")
    assert (found["sequestered"], found["headroom"]) == ("60000.00", "39999.99")
    assert found["unresolved"] == []


async def test_budget_under_stops_has_no_warnings(service, shown):
    found = await service.report(f"/v1/budgets/{RAYON}/warnings", at_least=shown)
    assert (found["items"], found["next"]) == ([], None)


@pytest.mark.parametrize(("asked", "kinds"), [
    ({"contract": "C-1"}, ["budget.commitment.registered", "budget.commitment.changed",
                           "budget.payment.executed", "budget.payment.returned",
                           "budget.cash_expenditure.recovered", "budget.commitment.cancelled"]),
    ({"account": ACCOUNT, "limit": 2}, ["budget.special_account.opened",
                                        "budget.special_account.credited"]),
    ({"kind": "budget.approved"}, ["budget.approved", "budget.approved"]),
    ({"act": BY_NAME["AmendBudget"]["act"]["id"], "kind": "budget.line.amended"},
     ["budget.line.amended"] * 3),
    ({"budget": RAYON, "line": ROADS, "kind": "budget.sequestration.applied"},
     ["budget.sequestration.applied"]),
    ({"actor": "nobody"}, []),
])  # fmt: skip
async def test_trail_follows_a_line_a_contract_an_account_an_actor_an_act(
    service, shown, asked, kinds
):
    found = await service.report("/v1/audit", at_least=shown, **asked)
    assert [item["kind"] for item in found["items"]] == kinds


async def test_trail_tells_who_why_and_the_figures_before_and_after(service, shown):
    found = await service.report("/v1/audit", at_least=shown, kind="budget.sequestration.applied")
    [row] = found["items"]
    assert (row["actor"], row["capacity"], row["reason"]) == ("akimat-19", "akimat",
                                                              "receipts fell")  # fmt: skip
    assert row["command_id"] == BY_NAME["SequesterBudget"]["command_id"]
    assert {"subject": "line", "measure": "adjusted", "before": "950000.00",
            "after": "890000.00"} in row["changes"]  # fmt: skip


@pytest.mark.parametrize("limit", [3, 1000])
async def test_pages_of_the_trail_give_every_event_once(service, shown, limit):
    found, after = [], 0
    while after is not None:
        page = await service.report("/v1/audit", after=after, limit=limit, at_least=shown)
        found += page["items"]
        after = page["next"]
    assert [row["sequence"] for row in found] == list(range(1, await service.events() + 1))


@pytest.mark.parametrize(
    "path", ["transfers", "exempt", "warnings", "lines", f"accounts/{ACCOUNT}"]
)
async def test_report_of_an_unknown_budget_is_not_found(service, shown, path):
    answer = await service.get(f"/v1/budgets/KZ-2025-nowhere/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-budget")
    answer = await service.get(f"/v1/budgets/rulebook/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-budget")


@pytest.mark.parametrize("path", [
    f"/v1/budgets/{RAYON}/transfers", f"/v1/budgets/{RAYON}/exempt", f"/v1/budgets/{RAYON}/lines",
    f"/v1/budgets/{RAYON}/warnings", f"/v1/budgets/{RAYON}/accounts/{ACCOUNT}", "/v1/audit",
    "/v1/rulebook", "/v1/kinds",
])  # fmt: skip
async def test_equal_questions_give_equal_bytes(service, shown, path):
    first, second = await service.get(path), await service.get(path)
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]


async def test_at_least_waits_for_the_projection_that_answers_and_for_no_other(service, shown):
    database = service.app.state.running.ledger.database
    async with database.connect("projector") as slow, slow.transaction():
        schema = await slow.fetchval(
            "SELECT schema FROM projections.versions WHERE name = 'audit_trail' AND state = 'live'"
        )
        await slow.execute(f"SELECT FROM {schema}.checkpoint FOR UPDATE")
        credit = {**BY_NAME["CreditReceipt"], "command_id": str(uuid4())}
        budget, last = credit["budget"], (await service.accept(credit))["position"]
        found = await service.report(f"/v1/budgets/{budget}/execution", at_least=f"{budget}:{last}")
        trail = asyncio.ensure_future(
            service.report("/v1/audit", at_least=f"{budget}:{last}", limit=1)
        )
        assert not (await asyncio.wait({trail}, timeout=0.1))[0]
    assert found["sequence"] > 0
    assert (await trail)["sequence"] >= found["sequence"]
