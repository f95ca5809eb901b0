"""Batches: a verdict a command, in order, as JSON array and NDJSON; atomic; nothing is lost."""

import json
from uuid import UUID

import pytest

from api.routes import batch
from api.routes.batch import CHUNK, COMMANDS_MAX

BUDGET, TAX, PAID = "KZ-2025-batch", ["revenue", "1"], ["expenditure", "01"]
NDJSON = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def budget(service, command) -> str:
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
            title="Batch",
        )
    )
    await service.accept(command(
        "ApproveBudget", BUDGET, "maslikhat", "2024-12-24", effective_from="2025-01-01",
        balance="0", lines=[{"line": TAX, "amount": "9"}, {"line": PAID, "amount": "9"}],
    ))  # fmt: skip
    return BUDGET


@pytest.fixture
def receipt(budget, command):
    return lambda **more: command("CreditReceipt", budget, "treasury", "2025-02-18",
                                  **{"line": TAX, "amount": "0.01", "value_date": "2025-02-18",
                                     **more})  # fmt: skip


@pytest.fixture
def payment(budget, command):
    """A payment that is refused: nothing is planned."""
    return lambda: command(
        "ExecutePayment",
        budget,
        "treasury",
        "2025-02-18",
        line=PAID,
        amount="1",
        value_date="2025-02-18",
    )


async def post(service, documents, *, lines=True, **parameters):
    """The verdicts of a batch; bytes among the documents are sent as they are."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in documents]
    body = b"\n".join(parts) if lines else b"[" + b",".join(parts) + b"]"
    answer = await service.client.post("/v1/commands/batch", content=body, params=parameters,
                                       headers=NDJSON if lines else JSON)  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize("lines", [True, False], ids=["ndjson", "array"])
async def test_every_command_has_its_verdict_in_order(service, receipt, payment, lines):
    repeated = receipt()
    await service.accept(repeated)
    reused = {**repeated, "amount": "0.02"}
    documents = [
        receipt(),
        payment(),
        receipt(amount="0"),
        b'{"a": 1, "a": 2}',
        repeated,
        reused,
        {**receipt(), "budget": "KZ-2025-nowhere"},
        b"7",
        b'{"amount": 1.5}',
        receipt(),
    ]
    before = await service.events()
    verdicts = await post(service, documents, lines=lines)
    assert [verdict["status"] for verdict in verdicts] == [
        "accepted", 409, 422, 400, "accepted", 422, 404, 422, 400, "accepted"]  # fmt: skip
    assert [verdict.get("code") for verdict in verdicts] == [
        None, "limit-exceeded", "invalid-command", "duplicate-key", None, "command-id-reused",
        "unknown-budget", "invalid-command", "number-not-exact", None]  # fmt: skip
    assert [verdict["item"] for verdict in verdicts if "item" in verdict] == [2, 3, 4, 6, 7, 8, 9]
    assert [v["replayed"] for v in verdicts if v["status"] == "accepted"] == [False, True, False]
    assert verdicts[-1]["position"] == verdicts[0]["position"] + 2  # the refusal is between them
    assert await service.events() == before + 3


async def test_commands_of_one_request_are_decided_in_their_order(service, receipt, budget):
    documents = [receipt() for _ in range(3 * CHUNK + 7)]
    verdicts = await post(service, documents)
    assert [v["command_id"] for v in verdicts] == [d["command_id"] for d in documents]
    first = verdicts[0]["position"]
    assert [v["position"] for v in verdicts] == list(range(first, first + len(documents)))


async def test_repeated_batch_stores_nothing(service, receipt, payment):
    documents = [receipt(), payment(), receipt()]
    first = await post(service, documents)
    before = await service.events()
    again = await post(service, documents)
    assert again == [{**verdict, "replayed": True} for verdict in first]
    assert await service.events() == before


async def test_atomic_batch_is_written_whole(service, receipt):
    verdicts = await post(service, [receipt(), receipt()], atomic=True)
    assert [verdict["status"] for verdict in verdicts] == ["accepted"] * 2


@pytest.mark.parametrize("bad", ["refused", "unread"])
async def test_atomic_batch_with_a_bad_command_stores_nothing(service, receipt, payment, bad):
    middle = payment() if bad == "refused" else b"{"
    before = await service.events()
    verdicts = await post(service, [receipt(), middle, receipt()], atomic=True)
    code = "limit-exceeded" if bad == "refused" else "invalid-json"
    assert [verdict["code"] for verdict in verdicts] == ["withheld", code, "withheld"]
    assert [verdict["status"] for verdict in verdicts] == [424, 409 if bad == "refused" else 400,
                                                           424]  # fmt: skip
    assert all(verdict.get("position") is None for verdict in verdicts)
    assert await service.events() == before


async def test_empty_lines_count_for_nothing(service, receipt):
    assert len(await post(service, [b"", receipt(), b"  ", receipt(), b""])) == 2
    assert await post(service, [], lines=False) == []


@pytest.mark.parametrize(("body", "headers", "status", "code"), [
    (b"[", JSON, 400, "invalid-json"),
    (b"[1 2]", JSON, 400, "invalid-json"),
    (b"[1,]", JSON, 400, "invalid-json"),
    (b"[] []", JSON, 400, "invalid-json"),
    (b"{}", JSON, 400, "invalid-json"),
    (b"", JSON, 400, "invalid-json"),
    (b"[" * 10_000 + b"]" * 10_000, JSON, 400, "too-deep"),
    (b"[\xff]", JSON, 400, "invalid-encoding"),
    (b"[" + b"1," * COMMANDS_MAX + b"1]", JSON, 413, "too-many-commands"),
    (b"1\n" * (COMMANDS_MAX + 1), NDJSON, 413, "too-many-commands"),
    (b"x" * 17_000_000, NDJSON, 413, "body-too-large"),
    (b"[]", {"Content-Type": "text/csv"}, 415, "unsupported-media-type"),
])  # fmt: skip
async def test_batch_that_cannot_be_split_is_one_problem(service, body, headers, status, code):
    before = await service.events()
    answer = await service.client.post("/v1/commands/batch", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await service.events() == before


async def test_unread_lines_do_not_hide_their_places(service):
    verdicts = await post(service, [b"\xff", b"[" * 10_000, b'"\\ud800"', b"nonsense"])
    assert [verdict["code"] for verdict in verdicts] == [
        "invalid-encoding", "too-deep", "invalid-text", "invalid-json"]  # fmt: skip
    assert [verdict["item"] for verdict in verdicts] == [1, 2, 3, 4]


async def test_full_queue_is_answered_and_nothing_is_taken(service, receipt, monkeypatch):
    appender = service.app.state.running.ledger.appender
    monkeypatch.setattr(appender, "queue_commands_max", 0)
    monkeypatch.setattr(appender, "_waiting", 1)
    before = await service.events()
    verdicts = await post(service, [receipt(), receipt()])
    assert {(v["status"], v["code"]) for v in verdicts} == {(503, "overloaded")}
    answer = await service.post(receipt())
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert int(answer.headers["retry-after"]) >= 1
    assert await service.events() == before
    assert UUID(verdicts[0]["command_id"])


async def test_nothing_is_decided_after_a_command_that_the_queue_did_not_take(
    service, receipt, monkeypatch
):
    monkeypatch.setattr(batch, "CHUNK", 2)
    documents = [receipt() for _ in range(20)]
    with monkeypatch.context() as full:
        full.setattr(service.app.state.running.ledger.appender, "queue_commands_max", 3)
        before = await service.events()
        verdicts = await post(service, documents)
    assert [v["status"] for v in verdicts] == ["accepted"] * 2 + [503] * 18
    assert await service.events() == before + 2
    again = await post(service, documents)
    assert [v["replayed"] for v in again] == [True] * 2 + [False] * 18
