"""Bad input (issue 2, §6): a coded 4xx, nothing stored but the refusal, as fast as before."""

import contextlib
import json
import statistics
import time

import httpx
import pytest

BUDGET, TAX, PAID = "KZ-2025-bad", ["revenue", "1", "01"], ["expenditure", "01", "101", "001"]
JSON = {"Content-Type": "application/json"}
RAW = {
    "broken-syntax": (b'{"command": ', 400, "invalid-json"),
    "empty-body": (b"", 400, "invalid-json"),
    "trailing-garbage": (b"{} {}", 400, "invalid-json"),
    "nan": (b'{"amount": NaN}', 400, "number-not-exact"),
    "infinity": (b'{"amount": -Infinity}', 400, "number-not-exact"),
    "1e400": (b'{"amount": 1e400}', 400, "number-not-exact"),
    "float": (b'{"amount": 430.0}', 400, "number-not-exact"),
    "float-in-a-corner": (b'{"act": {"article": [1, {"x": 1.5}]}}', 400, "number-not-exact"),
    "number-of-10000-digits": (b'{"amount": %s}' % (b"9" * 10_000), 400, "invalid-json"),
    "duplicate-key": (b'{"amount": "1", "amount": "2"}', 400, "duplicate-key"),
    "duplicate-key-below": (b'{"act": {"id": "a", "id": "b"}}', 400, "duplicate-key"),
    "lone-surrogate": (b'{"reason": "\\ud800"}', 400, "invalid-text"),
    "lone-surrogate-as-key": (b'{"\\udc00": 1}', 400, "invalid-text"),
    "nul-escaped": (b'{"reason": "a\\u0000b"}', 400, "invalid-text"),
    "nul-raw": (b'{"reason": "a\0b"}', 400, "invalid-json"),
    "invalid-utf8": (b'{"reason": "\xff"}', 400, "invalid-encoding"),
    "surrogate-as-utf8": (b'{"reason": "\xed\xa0\x80"}', 400, "invalid-encoding"),
    "utf16": ('{"a": 1}'.encode("utf-16"), 400, "invalid-encoding"),
    "byte-order-mark": (b"\xef\xbb\xbf{}", 400, "invalid-encoding"),
    "10000-levels-of-arrays": (b"[" * 10_000 + b"]" * 10_000, 400, "too-deep"),
    "10000-levels-of-objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, "too-deep"),
    "900-levels": (b'{"act":' + b"[" * 900 + b"]" * 900 + b"}", 422, "invalid-command"),
    "4-million-values": (b"[" + b"1," * 4_000_000 + b"1]", 400, "too-many-values"),
    "many-fields": (json.dumps({f"f{n}": 1 for n in range(1000)}).encode(), 400,
                    "too-many-values"),
    "10-mb": (b'{"reason": "%s"}' % (b"x" * 10_000_000), 413, "body-too-large"),
    "an-array": (b"[]", 422, "invalid-command"),
    "a-string": (b'"ExecutePayment"', 422, "invalid-command"),
    "null": (b"null", 422, "invalid-command"),
    "no-command": (b"{}", 422, "invalid-command"),
    "unknown-command": (b'{"command": "StealMoney"}', 422, "invalid-command"),
    "command-is-no-name": (b'{"command": {"a": []}}', 422, "invalid-command"),
}  # fmt: skip
FIELDS = {
    "unknown-field": ({"colour": "red"}, 422, "invalid-command"),
    "unknown-field-below": ({"act": {"id": "a", "date": "2025-02-18", "x": 1}}, 422,
                            "invalid-command"),
    "nothing-paid": ({"amount": "0"}, 422, "invalid-command"),
    "negative-amount": ({"amount": "-1"}, 422, "invalid-command"),
    "three-decimals": ({"amount": "1.001"}, 422, "invalid-command"),
    "10^30": ({"amount": "1" + "0" * 30}, 422, "invalid-command"),
    "10^30-as-number": ({"amount": 10**30}, 422, "invalid-command"),
    "amount-as-number": ({"amount": 430}, 422, "invalid-command"),
    "amount-with-exponent": ({"amount": "1e2"}, 422, "invalid-command"),
    "amount-nan": ({"amount": "NaN"}, 422, "invalid-command"),
    "amount-in-other-digits": ({"amount": "٤٣٠"}, 422, "invalid-command"),
    "amount-with-spaces": ({"amount": " 1 "}, 422, "invalid-command"),
    "amount-missing": ({"amount": None}, 422, "invalid-command"),
    "no-uuid": ({"command_id": "1"}, 422, "invalid-command"),
    "day-out-of-calendar": ({"value_date": "2025-02-30"}, 422, "invalid-command"),
    "moment-for-a-day": ({"value_date": "2025-02-18T00:00"}, 422, "invalid-command"),
    "day-as-number": ({"value_date": 20250218}, 422, "invalid-command"),
    "empty-line": ({"line": []}, 422, "invalid-command"),
    "line-as-text": ({"line": "expenditure/01"}, 422, "invalid-command"),
    "deep-line": ({"line": ["x"] * 10}, 422, "invalid-command"),
    "wide-line": ({"line": ["1"] * 300_000}, 422, "invalid-command"),
    "control-character": ({"reason": "a\x07"}, 422, "invalid-command"),
    "budget-with-odd-characters": ({"budget": "KZ-2025-'; DROP"}, 422, "invalid-command"),
    "unknown-budget": ({"budget": "KZ-2025-nowhere"}, 404, "unknown-budget"),
    "unknown-section": ({"line": ["gifts", "1"]}, 409, "unknown-section"),
    "unknown-code": ({"line": ["expenditure", "1"]}, 409, "unknown-code"),
    "unknown-line": ({"line": ["expenditure", "02"]}, 409, "unknown-line"),
    "receipts-line": ({"line": TAX}, 409, "wrong-section"),
    "unknown-contract": ({"contract": "C-404"}, 409, "unknown-contract"),
    "wrong-actor": ({"actor": {"id": "m-1", "capacity": "maslikhat"}}, 409,
                    "actor-not-authorized"),
    "paid-tomorrow": ({"value_date": "2025-02-19"}, 409, None),
    "paid-in-a-closed-year": ({"value_date": "2024-12-31"}, 409, None),
    "act-after-its-adoption": ({"adopted_on": "2025-02-01"}, 409, "dates-out-of-order"),
    "act-tomorrow": ({"act": {"id": "a", "date": "2025-02-19"}}, 409, "adopted-in-future"),
    "above-the-plan": ({"amount": "5"}, 409, "limit-exceeded"),
}  # fmt: skip
OTHERS = {
    "expired-code": (
        {"command": "CreditReceipt", "line": ["borrowing", "9"]}, 409, "unknown-code"),
    "wrong-level": (
        {"command": "OpenBudget", "budget": "KZ-2025-l9", "line": None, "amount": None,
         "value_date": None, "region": 1, "level": 9, "year": 2025, "title": "t"}, 409,
        "unknown-level"),
    "year-that-the-code-denies": (
        {"command": "OpenBudget", "budget": "KZ-2025-y", "line": None, "amount": None,
         "value_date": None, "region": 1, "level": 3, "year": 2026, "title": "t"}, 409,
        "wrong-year"),
    "unknown-payment": (
        {"command": "ReturnPayment", "line": None, "reason": "r",
         "payment": "00000000-0000-4000-8000-000000000000"}, 409, "unknown-payment"),
    "reason-missing": (
        {"command": "RefundReceipt", "line": TAX}, 409, "reason-missing"),
    "unknown-account": (
        {"command": "CreditSpecialAccount", "line": None, "account": "K"}, 409,
        "unknown-account"),
}  # fmt: skip


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
            title="Bad input",
        )
    )
    await service.accept(command(
        "ApproveBudget", BUDGET, "maslikhat", "2024-12-24", effective_from="2025-01-01",
        balance="0", lines=[{"line": TAX, "amount": "9"}, {"line": PAID, "amount": "9"}],
    ))  # fmt: skip
    await service.accept(command(
        "SetPlan", BUDGET, "treasury", "2025-01-05", effective_from="2025-01-05",
        lines=[{"line": PAID, "payments": [{"month": "2025-01", "amount": "3"}]}],
    ))  # fmt: skip
    await service.accept(
        command(
            "CreditReceipt",
            BUDGET,
            "treasury",
            "2025-01-06",
            line=TAX,
            amount="9",
            value_date="2025-01-06",
        )
    )
    return BUDGET


async def judge(service, answer, status: int, code: str | None, before: int) -> None:
    """The problem has the one shape; a refusal is stored, all else leaves no trace."""
    assert answer.status_code == status, answer.text[:500]
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code"} <= set(problem)
    assert problem["status"] == status
    assert code in (problem["code"], None), problem
    assert len(answer.content) < 50_000
    if status == 409:
        assert problem["rule"]
        assert isinstance(problem["figures"], dict)
    stored = 1 if status == 409 and problem["position"] else 0
    assert await service.events() == before + stored


@pytest.mark.parametrize(("body", "status", "code"), RAW.values(), ids=RAW)
async def test_unreadable_body_is_a_coded_problem(service, budget, body, status, code):
    before = await service.events()
    answer = await service.client.post("/v1/commands", content=body, headers=JSON)
    await judge(service, answer, status, code, before)


@pytest.mark.parametrize(("changes", "status", "code"), [*FIELDS.values(), *OTHERS.values()],
                         ids=[*FIELDS, *OTHERS])  # fmt: skip
async def test_wrong_content_is_a_coded_problem(service, budget, command, changes, status, code):
    good = command(
        "ExecutePayment",
        budget,
        "treasury",
        "2025-02-18",
        line=PAID,
        amount="1",
        value_date="2025-02-18",
    )
    document = {key: value for key, value in {**good, **changes}.items()
                if value is not None or changes == {"amount": None}}  # fmt: skip
    before = await service.events()
    await judge(service, await service.post(document), status, code, before)


@pytest.mark.parametrize("headers", [
    {}, {"Content-Type": "text/plain"}, {"Content-Type": "application/json; charset=latin-1"},
    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
])  # fmt: skip
async def test_other_media_types_are_refused(service, headers):
    before = await service.events()
    answer = await service.client.post("/v1/commands", content=b"{}", headers=headers)
    await judge(service, answer, 415, "unsupported-media-type", before)


async def test_endless_body_is_cut_off(service):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 1_000_000
            yield b" " * 1_000_000

    before = await service.events()
    with contextlib.suppress(httpx.TransportError):  # cut while sending, or answered in time
        answer = await service.client.post("/v1/commands", content=endless(), headers=JSON)
        assert answer.status_code == 413
    assert sent < 500_000_000
    assert await service.events() == before


async def test_good_commands_are_as_fast_as_before_bad_ones(service, budget, command):
    async def median() -> float:
        seconds = []
        for _ in range(15):
            receipt = command(
                "CreditReceipt",
                budget,
                "treasury",
                "2025-02-18",
                line=TAX,
                amount="0.01",
                value_date="2025-02-18",
            )
            began = time.perf_counter()
            await service.accept(receipt)
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds)

    before = await median()
    for body, _, _ in RAW.values():
        await service.client.post("/v1/commands", content=body, headers=JSON)
    assert await median() < 5 * before + 0.05
