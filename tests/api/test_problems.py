"""One error shape on every route, and a table of codes that is whole."""

import ast
import re
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.parameters import StrictRoute
from api.problems import CODES, MEDIA, Guard
from api.routes import ROUTERS
from api.settings import Settings

ROOT = Path(__file__).parents[2]
APP = create_app(Settings())
SCHEMA = APP.openapi()
ROUTES = [(path, method.upper()) for path, methods in SCHEMA["paths"].items() for method in methods]


def shape(answer: httpx.Response, status: int, code: str) -> None:
    """The one error shape."""
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["status"]) == (status, code, status)
    assert answer.headers["content-type"] == MEDIA
    assert problem["type"] == f"urn:qazyna:problem:{code}"
    assert problem["title"] == CODES[code][1]
    assert isinstance(problem["detail"], str)


def filled(path: str) -> str:
    """A path with something in its places."""
    return (path.replace("{budget}", "rulebook").replace("{account}", "K")
            .replace("{command_id}", "00000000-0000-4000-8000-000000000000")
            .replace("{path}", "0/000").replace("{size}", "1"))  # fmt: skip


@pytest.mark.parametrize(("path", "method"), ROUTES)
async def test_unknown_parameter_is_a_problem_on_every_route(service, path, method):
    answer = await service.client.request(method, filled(path), params={"colour": "red"})
    required = [p for p in SCHEMA["paths"][path][method.lower()].get("parameters", ())
                if p["in"] == "query" and p.get("required")]  # fmt: skip
    if required:  # what is missing is named first
        shape(answer, 422, answer.json()["code"])
    else:
        shape(answer, 422, "unknown-parameter")


@pytest.mark.parametrize("path", sorted(SCHEMA["paths"]))
async def test_wrong_method_is_a_problem_on_every_route(service, path):
    shape(await service.client.request("PATCH", filled(path)), 405, "method-not-allowed")


@pytest.mark.parametrize("path", [
    "/", "/v1", "/v2/budgets", "/v1/budgets/", "/v1/commands/", "/v1/budgets/a/b/c", "/%00",
    "/%ff", "/v1/budgets/KZ-2025-x/colour",
])  # fmt: skip
async def test_unknown_path_is_a_problem(service, path):
    answer = await service.client.get(path)
    shape(answer, 404, "not-found")


@pytest.mark.parametrize("code", [
    "x", "KZ-2025", "kz-2025-x", "KZ-2025-x%00", "KZ-2025-%F0%9F%92%B0", "%ff%fe", "KZ-2025-x%0A",
    "'%20OR%201=1", "..%2f..", "x" * 5000,
])  # fmt: skip
async def test_odd_codes_are_problems_and_never_failures(service, code):
    paths = [p for p in SCHEMA["paths"] if "{budget}" in p]
    for path in paths:
        answer = await service.client.get(path.replace("{budget}", code).replace("{account}", "K"))
        assert 400 <= answer.status_code < 500, (path, answer.text)
        shape(answer, answer.status_code, answer.json()["code"])


SILENT = ("/healthz", "/metrics", "/v1/kinds", "/v1/receipts/key")
ASKING = [(path, method) for path, method in ROUTES
          if path not in SILENT and method != "POST"]  # fmt: skip
"""Routes that ask the database before they read a body."""


ASKED = {
    "/v1/proofs/inclusion": "?sequence=1", "/v1/proofs/inclusion.tlog-proof": "?sequence=1",
    "/v1/proofs/consistency": "?old=1", "/v1/proofs/consistency.txt": "?old=1",
    "/v1/proofs/absence": "?sequence=2&before=1",
}  # fmt: skip


@pytest.mark.parametrize(("path", "method"), ASKING)
async def test_lost_database_is_a_problem_with_a_time_to_retry(service, path, method, monkeypatch):
    def connect(role):
        raise ConnectionRefusedError(role)

    monkeypatch.setattr(service.app.state.running.ledger.database, "connect", connect)
    question = "?budget=KZ-2025-x" if "command_id" in path else ASKED.get(path, "")
    path = path.replace("{budget}", "KZ-2025-x")
    answer = await service.client.request(method, filled(path) + question)
    shape(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1


async def test_what_nobody_foresaw_is_a_problem_too(caplog):
    async def broken(scope, receive, send):
        raise ZeroDivisionError

    transport = httpx.ASGITransport(Guard(broken))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        shape(await client.get("/x"), 500, "internal-error")
    assert "ZeroDivisionError" in caplog.text


def test_every_route_documents_its_problems():
    for path, methods in SCHEMA["paths"].items():
        for method, operation in methods.items():
            statuses = {int(status) for status in operation["responses"]}
            assert 422 in statuses, (method, path)


def test_every_code_of_the_service_stands_in_the_table():
    used = set()
    for path in (ROOT / "api").rglob("*.py"):
        if path.relative_to(ROOT / "api").parts[0] not in ("load", "cli", "doors.py", "home.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                        and node.func.id in ("Problem", "NotFound") and node.args
                        and isinstance(node.args[0], ast.Constant)):  # fmt: skip
                    used.add(node.args[0].value)
    assert used <= set(CODES)
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", code) for code in CODES)


def test_every_route_is_strict():
    routes = [route for router in ROUTERS for route in router.routes]
    assert routes
    assert all(type(route) is StrictRoute for route in routes)
