"""A service for tests: a fresh ledger a module, a set clock."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import uvicorn

from api.app import create_app
from api.assembly import running
from api.settings import Settings
from ledger.dates import from_iso
from ledger.store.embedded import EmbeddedPostgres

START = "2024-12-01T09:00:00+05:00"
NAMES = count(1)


class Clock:
    """The ledger's clock, set by tests; it moves a microsecond at every look."""

    def __init__(self, start: str) -> None:
        self.now = from_iso(start)

    def set(self, moment: str) -> None:
        self.now = from_iso(moment if len(moment) > 10 else f"{moment}T12:00:00+05:00")

    def __call__(self) -> int:
        self.now += 1
        return self.now


async def execute(server: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def template(server) -> str:
    """A database that holds an empty ledger of Kazakhstan; its notary's files are kept too."""
    name = f"api_template_{next(NAMES)}"  # another folder that takes this fixture makes its own
    await execute(server, f"CREATE DATABASE {name} TEMPLATE template0")
    settings = Settings(DATABASE_URL=server.dsn(name), home=home_of(server, name))
    async with running(settings, clock=Clock(START)):
        pass
    return name


def home_of(server: EmbeddedPostgres, name: str) -> Path:
    """The folder of the notary's files of one database."""
    return server.home.with_name(f"{name}-home")


@dataclass
class Service:
    """A running service as a client sees it."""

    client: httpx.AsyncClient
    clock: Clock
    app: Any
    url: str
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def post(self, document: dict[str, Any], **more: Any) -> httpx.Response:
        return await self.client.post("/v1/commands", json=document, **more)

    async def accept(self, document: dict[str, Any]) -> dict[str, Any]:
        answer = await self.post(document)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def get(self, path: str, **parameters: Any) -> httpx.Response:
        return await self.client.get(path, params=parameters or None)

    async def report(self, path: str, **parameters: Any) -> dict[str, Any]:
        answer = await self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def events(self) -> int:
        """How many events the ledger holds."""
        heads = await self.app.state.running.ledger.budgets()
        return sum(head["position"] for head in heads)


@contextlib.asynccontextmanager
async def serve(app: Any) -> AsyncIterator[str]:
    """Serve an application by uvicorn on a free port; give its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        assert not task.done(), await task
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def service_on(server: EmbeddedPostgres, template: str) -> AsyncIterator[Service]:
    """Serve a fresh ledger."""
    name = f"api_{next(NAMES)}"
    await execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    clock = Clock(START)
    home = shutil.copytree(home_of(server, template), home_of(server, name))
    app = create_app(Settings(DATABASE_URL=server.dsn(name), home=home), clock=clock)
    async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield Service(client, clock, app, url)


@pytest.fixture(scope="module")
async def service(server, template) -> AsyncIterator[Service]:
    async with service_on(server, template) as started:
        yield started


def command_document(
    name: str, budget: str, capacity: str, day: str, command_id: UUID | str | None = None,
    **fields: Any,
) -> dict[str, Any]:  # fmt: skip
    """A command document: the act is of the day; a reason is there where one is asked for."""
    needs = ("AmendBudget", "AdjustBudget", "SequesterBudget", "RecoverCashExpenditure",
             "ReturnPayment", "RejectPayment", "RefundReceipt", "CancelCommitment",
             "ChangeCommitment")  # fmt: skip
    return {
        "command": name, "command_id": str(command_id or uuid4()), "budget": budget,
        "actor": {"id": f"{capacity}-1", "capacity": capacity},
        "act": {"id": f"act of {day}", "date": day},
        **({"reason": "as decided"} if name in needs else {}), **fields,
    }  # fmt: skip


@pytest.fixture(scope="session")
def command():
    return command_document
