"""schemathesis judges the running service by its own document: no 5xx, no undocumented answer.

Bounded by QAZYNA_FUZZ_SECONDS; every run prints its seed, QAZYNA_SEED repeats it.
"""

import asyncio
import copy
import os
import random
import time
import warnings

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from api.examples import ACCOUNT, EXAMPLES, RAYON

SECONDS = float(os.environ.get("QAZYNA_FUZZ_SECONDS", "30"))
SEED = int(os.environ.get("QAZYNA_SEED", random.randrange(2**32)))
CHECKS = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance,
]  # fmt: skip
KNOWN = {"budget": RAYON, "account": ACCOUNT, "command_id": EXAMPLES[0]["command_id"]}
LINES = [line for example in EXAMPLES for part in example.get("lines", ())
         if isinstance(line := part.get("line"), list)]  # fmt: skip


@pytest.fixture(scope="module")
async def filled(service):
    """A ledger on which every kind of command has happened."""
    service.clock.set("2025-02-18")
    for example in EXAMPLES:
        await service.accept(example)
    return service


def sharpen(case, chance: random.Random) -> None:
    """Let many random cases get past "unknown budget" into the rules behind it."""
    for name in set(case.path_parameters or ()) & set(KNOWN):
        if chance.random() < 0.7:
            case.path_parameters[name] = KNOWN[name]
    if case.query:
        if "wait_seconds" in case.query:
            case.query["wait_seconds"] = 0
        if "budget" in case.query and chance.random() < 0.7:
            case.query["budget"] = RAYON
    if isinstance(case.body, dict) and chance.random() < 0.8:
        case.body = copy.deepcopy(case.body)  # it may be one of the document's examples
        sharpen_command(case.body, chance)


def sharpen_command(body: dict, chance: random.Random) -> None:
    """Give a command a known budget, actor and lines, and days that can be right."""
    body["budget"] = RAYON if chance.random() < 0.9 else "rulebook"
    if isinstance(body.get("actor"), dict):
        body["actor"]["capacity"] = chance.choice(["treasury", "maslikhat", "akimat"])
    act = {"id": "fuzz", "date": "2025-01-31"}
    body |= {"act": act, "adopted_on": "2025-01-31", "reason": "fuzz", "source": None}
    for name in {"effective_from", "value_date"} & set(body):
        body[name] = chance.choice(["2025-01-31", "2025-02-17", "2024-12-31"])
    if "line" in body:
        body["line"] = chance.choice(LINES)
    if isinstance(body.get("lines"), list):
        for part in body["lines"]:
            if isinstance(part, dict) and chance.random() < 0.8:
                part["line"] = chance.choice(LINES)


def judge(operation, mode, url: str, seconds: float) -> int:
    """Send random cases of one operation for a while; return how many."""
    until = time.monotonic() + seconds
    sent = 0

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=10_000, deadline=None, database=None, derandomize=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate], report_multiple_bugs=False,
    )  # fmt: skip
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), number=st.integers())
    def send(case, number):
        nonlocal sent
        if time.monotonic() > until:
            raise TimeoutError
        sharpen(case, random.Random(number))
        case.call_and_validate(base_url=url, checks=CHECKS, session=session, timeout=30)
        sent += 1

    with requests.Session() as session:
        try:
            send()
        except TimeoutError:
            pass
        except hypothesis.errors.Unsatisfiable:
            pass
    return sent


def run(url: str, document: dict) -> dict[str, int]:
    """Judge every operation, commands for most of the time."""
    schema = schemathesis.openapi.from_dict(document)
    operations = [result.ok() for result in schema.get_all_operations()]
    weights = {"/v1/commands": 8, "/v1/commands/batch": 3}
    work = [(o, mode, weights.get(o.path, 1) if o.method == "post" else 1)
            for o in operations for mode in GenerationMode]  # fmt: skip
    unit = SECONDS / sum(weight for *_, weight in work)
    return {f"{o.method} {o.path} {mode.value}": judge(o, mode, url, weight * unit)
            for o, mode, weight in work}  # fmt: skip


async def test_an_undocumented_answer_is_noticed(filled):
    document = copy.deepcopy(filled.app.openapi())
    document["paths"] = {"/v1/budgets/{budget}": document["paths"]["/v1/budgets/{budget}"]}
    del document["paths"]["/v1/budgets/{budget}"]["get"]["responses"]["404"]
    schema = schemathesis.openapi.from_dict(document)
    [operation] = [result.ok() for result in schema.get_all_operations()]
    with pytest.raises(FailureGroup) as caught:
        await asyncio.to_thread(judge, operation, GenerationMode.POSITIVE, filled.url, 30)
    assert "UndefinedStatusCode" in str(caught.value.exceptions)


async def test_no_failure_and_no_undocumented_answer(filled):
    print(f"QAZYNA_SEED={SEED}")  # noqa: T201
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sent = await asyncio.to_thread(run, filled.url, copy.deepcopy(filled.app.openapi()))
    print(sent)  # noqa: T201
    assert sum(sent.values()) > len(sent)
    assert (await filled.get("/readyz")).status_code == 200
