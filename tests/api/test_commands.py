"""Posting one command over real HTTP: verdicts, replays, refusals, the idempotency key."""

from uuid import uuid4

import pytest

from api.examples import EXAMPLES
from ledger.events import COMMANDS

BUDGET, TAX, PAID = "KZ-2025-posting", ["revenue", "1"], ["expenditure", "01"]


async def test_examples_are_accepted_in_their_order(service):
    service.clock.set("2025-02-18")
    assert {example["command"] for example in EXAMPLES} == set(COMMANDS)
    for example in EXAMPLES:
        answer = await service.post(example)
        assert answer.status_code == 201, (example["command"], answer.text)


@pytest.fixture(scope="module")
async def budget(service, command) -> str:
    """A rayon budget of two lines, open since the first of January."""
    service.clock.set("2025-02-18")
    await service.accept(
        command(
            "OpenBudget",
            BUDGET,
            "treasury",
            "2024-12-20",
            region=19,
            level=3,
            year=2025,
            title="Posting",
        )
    )
    await service.accept(command(
        "ApproveBudget", BUDGET, "maslikhat", "2024-12-24", effective_from="2025-01-01",
        balance="0", lines=[{"line": TAX, "amount": "10"}, {"line": PAID, "amount": "10"}],
    ))  # fmt: skip
    return BUDGET


@pytest.fixture
def receipt(budget, command):
    return command(
        "CreditReceipt",
        budget,
        "treasury",
        "2025-02-18",
        line=TAX,
        amount="0.07",
        value_date="2025-02-18",
    )


async def test_accepted_command_is_answered_with_its_position(service, budget, receipt):
    before = (await service.report(f"/v1/budgets/{budget}"))["position"]
    answer = await service.post(receipt)
    assert answer.status_code == 201
    assert answer.json() == {
        "command_id": receipt["command_id"], "budget": budget, "status": "accepted",
        "position": before + 1, "events": 1, "recorded_at": answer.json()["recorded_at"],
        "replayed": False, "flags": [],
    }  # fmt: skip
    assert answer.json()["recorded_at"].startswith("2025-02-18T07:00:00.")
    stored = await service.get(answer.headers["content-location"])
    assert stored.status_code == 200
    assert stored.json() == {**answer.json(), "replayed": True}


async def test_repeated_command_gives_the_first_answer_and_stores_nothing(service, receipt):
    first = await service.post(receipt)
    before = await service.events()
    again = await service.post(receipt)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {**first.json(), "replayed": True}
    assert await service.events() == before


async def test_reused_id_with_another_body_is_refused(service, receipt):
    await service.accept(receipt)
    before = await service.events()
    answer = await service.post({**receipt, "amount": "0.08"})
    assert (answer.status_code, answer.json()["code"]) == (422, "command-id-reused")
    assert await service.events() == before


async def test_refusal_is_a_stored_problem_with_rule_law_and_figures(service, budget, command):
    payment = command(
        "ExecutePayment",
        budget,
        "treasury",
        "2025-02-18",
        line=PAID,
        amount="2.5",
        value_date="2025-02-18",
    )
    before = await service.events()
    answer = await service.post(payment)
    problem = answer.json()
    assert answer.status_code == problem["status"] == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["rule"]) == ("limit-exceeded", "I7")
    assert problem["type"] == "urn:qazyna:problem:limit-exceeded"
    plan = next(limit for limit in problem["limits"] if limit["limit"] == "payments-plan")
    assert (plan["asked"], plan["available"], plan["day"]) == ("2.50", "0.00", "2025-02-18")
    assert await service.events() == before + 1
    again = await service.post(payment)
    assert again.json() == {**problem, "replayed": True}
    stored = await service.get(f"/v1/commands/{payment['command_id']}", budget=budget)
    assert (stored.status_code, stored.json()) == (409, {**problem, "replayed": True})


async def test_figures_in_minor_units_are_shown_as_amounts(service, budget, command):
    answer = await service.post(command(
        "AmendBudget", budget, "maslikhat", "2025-02-18", effective_from="2025-02-18",
        balance="1", lines=[{"line": TAX, "amount": "12.34"}],
    ))  # fmt: skip
    assert answer.json()["code"] == "balance-identity"
    assert answer.json()["figures"] == {"computed": "2.34", "document": "1.00"}


async def test_idempotency_key_is_the_command_id(service, receipt):
    given = receipt.pop("command_id")
    answer = await service.post(receipt, headers={"Idempotency-Key": f'"{given}"'})
    assert (answer.status_code, answer.json()["command_id"]) == (201, given)
    again = await service.post({**receipt, "command_id": given}, headers={"Idempotency-Key": given})
    assert (again.status_code, again.json()["replayed"]) == (200, True)


@pytest.mark.parametrize("key", ["0199a000-0000-7000-8000-000000000001", "no uuid", ""])
async def test_idempotency_key_of_another_command_is_refused(service, receipt, key):
    answer = await service.post(receipt, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-mismatch")


async def test_command_on_unknown_budget_is_not_found(service, receipt):
    answer = await service.post({**receipt, "budget": "KZ-2025-nowhere"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-budget")


async def test_unknown_command_id_is_not_found(service, budget):
    answer = await service.get(f"/v1/commands/{uuid4()}", budget=budget)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-command")
    answer = await service.get(f"/v1/commands/{uuid4()}", budget="KZ-2025-nowhere")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-budget")


async def test_unread_command_names_each_place(service, receipt):
    answer = await service.post({**receipt, "amount": 5, "colour": "red"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-command")
    assert {error["place"] for error in answer.json()["errors"]} == {"amount", "colour"}
