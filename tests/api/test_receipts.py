"""Receipts over HTTP: for accepted, refused, repeated and batched commands; redeemed for proofs."""

import asyncio
import json

import pytest

from ledger.proofs.receipts import Receipt
from ledger.proofs.verify import INCLUSION, Key, Trust, leaf_hash, read_proof, verify_inclusion

BUDGET, TAX, PAID = "KZ-2025-receipts", ["revenue", "1"], ["expenditure", "01"]
ASKED = {"params": {"receipt": "true"}}


@pytest.fixture(scope="module")
async def budget(service, command) -> str:
    service.clock.set("2025-02-18")
    await service.accept(command("OpenBudget", BUDGET, "treasury", "2024-12-20", region=19,
                                 level=3, year=2025, title="Receipts"))  # fmt: skip
    await service.accept(command(
        "ApproveBudget", BUDGET, "maslikhat", "2024-12-24", effective_from="2025-01-01",
        balance="0", lines=[{"line": TAX, "amount": "10"}, {"line": PAID, "amount": "10"}],
    ))  # fmt: skip
    return BUDGET


@pytest.fixture
def credit(budget, command):
    return command("CreditReceipt", budget, "treasury", "2025-02-18", line=TAX, amount="0.07",
                   value_date="2025-02-18")  # fmt: skip


@pytest.fixture
def payment(budget, command):
    return command("ExecutePayment", budget, "treasury", "2025-02-18", line=PAID, amount="2.5",
                   value_date="2025-02-18")  # fmt: skip


async def keys_of(service):
    answer = await service.get("/v1/receipts/key")
    assert answer.status_code == 200
    return [Key.parse(line) for line in answer.text.splitlines()]


async def opened(service, document):
    return Receipt.open(document["receipt"].encode(), await keys_of(service))


async def test_an_accepted_command_has_a_receipt_on_request_only(service, credit):
    answer = (await service.post(credit, **ASKED)).json()
    found = await opened(service, answer)
    assert found.answer["command_id"] == credit["command_id"]
    assert (found.answer["position"], found.answer["status"]) == (answer["position"], "accepted")
    for asked in ({}, {"params": {"receipt": "false"}}):
        assert "receipt" not in (await service.post(credit, **asked)).json()


async def test_a_refusal_has_a_receipt_with_rule_limits_and_position(service, payment):
    answer = await service.post(payment, **ASKED)
    assert answer.status_code == 409
    found = (await opened(service, answer.json())).answer
    assert (found["status"], found["position"]) == ("refused", answer.json()["position"])
    assert found["refusal"]["rule"] == answer.json()["rule"]
    assert {one["limit"] for one in found["refusal"]["limits"]} == {
        one["limit"] for one in answer.json()["limits"]}  # fmt: skip
    assert found["event"]["kind"] == "ledger.command.refused"


async def test_a_repeat_has_an_equal_answer_in_its_receipt_and_says_it_is_one(service, credit):
    first = (await service.post(credit)).json()
    again = (await service.post(credit, **ASKED)).json()
    once_more = (await service.post(credit, **ASKED)).json()
    stored = await service.report(f"/v1/commands/{credit['command_id']}", budget=BUDGET,
                                  receipt=True)  # fmt: skip
    assert [one["replayed"] for one in (first, again, once_more, stored)] == [False, *[True] * 3]
    leaves = {(await opened(service, one)).leaf for one in (again, once_more, stored)}
    assert len(leaves) == 1


async def test_each_answer_of_a_batch_has_a_receipt_under_few_signatures(service, command, budget):
    asked = [command("CreditReceipt", budget, "treasury", "2025-02-18", line=TAX, amount="0.01",
                     value_date="2025-02-18") for _ in range(300)]  # fmt: skip
    asked[7] = command("ExecutePayment", budget, "treasury", "2025-02-18", line=PAID,
                       amount="9", value_date="2025-02-18")  # fmt: skip
    asked[8] = {"command": "CreditReceipt"}
    answer = await service.client.post("/v1/commands/batch", json=asked, **ASKED)
    verdicts = [json.loads(line) for line in answer.text.splitlines()]
    assert len(verdicts) == 300
    assert "receipt" not in verdicts[8]
    signed = {one["receipt"].partition("\n\n")[2] for one in verdicts if "receipt" in one}
    assert len(signed) <= 2
    for number in (0, 7, 9, 299):
        found = (await opened(service, verdicts[number])).answer
        assert found["command_id"] == asked[number]["command_id"]
    assert (await opened(service, verdicts[7])).answer["status"] == "refused"


async def test_a_withheld_command_has_a_receipt_without_an_event(service, credit, payment):
    answer = await service.client.post("/v1/commands/batch", json=[credit, payment],
                                       params={"receipt": "true", "atomic": "true"})  # fmt: skip
    withheld, refused = [json.loads(line) for line in answer.text.splitlines()]
    assert (await opened(service, withheld)).answer["status"] == "withheld"
    assert (await opened(service, withheld)).envelope is None
    assert (await opened(service, refused)).answer["refusal"]["code"] == "limit-exceeded"


async def test_a_receipt_is_redeemed_for_a_proof(service, credit, payment):
    keys = service.app.state.running.notary.keys.public()
    for asked in (credit, payment):
        found = await opened(service, (await service.post(asked, **ASKED)).json())
        place = {"budget": found.answer["budget"], "position": found.answer["position"]}
        for _ in range(100):
            answer = await service.get("/v1/proofs/inclusion.tlog-proof", **place)
            if answer.status_code == 200:
                break
            await asyncio.sleep(0.1)
        index, hashes, note, leaf = read_proof(answer.content, INCLUSION)
        head = Trust(tuple(keys), keys[0].name).open(note)
        verify_inclusion(index, head.size, leaf_hash(leaf), hashes, head.root)
        found.redeem(leaf)
        assert found.origin == head.origin


async def test_where_no_receipt_can_be_made_the_answer_is_given_all_the_same(service, credit):
    keys = service.app.state.running.receipting.keys
    await service.post(credit, **ASKED)
    keys.path.chmod(0o644)
    try:
        answer = await service.post(credit, **ASKED)
        assert (answer.status_code, answer.json()["receipt"]) == (200, None)
        assert (await service.get("/v1/receipts/key")).status_code == 500
    finally:
        keys.path.chmod(0o600)
    assert (await service.post(credit, **ASKED)).json()["receipt"]


@pytest.mark.parametrize("value", ["yes please", "2", ""])
async def test_a_receipt_is_asked_for_by_a_plain_yes_or_no(service, credit, value):
    answer = await service.post(credit, params={"receipt": value})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-parameter")


async def test_an_annex_is_posted_and_never_shown_again(service, credit):
    asked = {**credit, "annex": {"payer_name": "Қуаныш Бақытұлы", "payer_number": "850101300124"}}
    first = await service.post(asked, **ASKED)
    again = await service.post(asked, **ASKED)
    assert (first.status_code, again.status_code) == (201, 200)
    other = await service.post({**asked, "annex": {"payer_name": "X", "payer_number": "1"}})
    assert (other.status_code, other.json()["code"]) == (422, "command-id-reused")
    events = (await service.get("/v1/events", limit=1000)).text
    for shown in (first.text, again.text, other.text, events):
        assert "Қуаныш" not in shown
        assert "850101300124" not in shown


async def test_a_name_where_a_reference_belongs_is_refused_and_not_repeated(service, credit):
    answer = await service.post({**credit, "payer": "Қуаныш Бақытұлы"})
    assert (answer.status_code, answer.json()["errors"][0]["place"]) == (422, "payer")
    assert "Қуаныш" not in answer.text
    answer = await service.post({**credit, "reason": "from 850101300124"})
    assert "annex" in answer.json()["errors"][0]["reason"]
    assert "850101300124" not in answer.text
