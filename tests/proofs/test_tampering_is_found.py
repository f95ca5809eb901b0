"""What a superuser does behind the ledger's back, and who finds it: the table of docs/tampering.md.

A real service, the real `qazyna check` and `qazyna audit`; the auditor has been there before.
"""

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from api.app import create_app
from api.examples import EXAMPLES, RAYON
from api.settings import Settings
from ledger.events import link, log_id
from tests.api.conftest import START, Clock, execute, home_of, serve, template  # noqa: F401
from tests.faults.stored import query
from tests.store.world import allow_schemas, tamper

# ruff: noqa: F811 - fixtures are named as the functions that make them
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "tampering.md"
HERE = f"log = {log_id(RAYON)}"
IT = "position = {at} AND " + HERE
SWAPPED = f"""
UPDATE ledger.events AS e SET command_id = o.command_id, hash = o.hash, body = o.body,
    kind = o.kind, recorded_at = o.recorded_at
FROM ledger.events AS o
WHERE e.{HERE} AND o.{HERE} AND e.position + o.position = 2 * {{at}} - 1
    AND e.position IN ({{at}} - 1, {{at}})
"""
CHECK, AUDIT, AGAIN = "`qazyna check`", "`qazyna audit`", "`qazyna audit --again`"


class Case(NamedTuple):
    """Statements with `{at}` for the place of a payment; who finds it, and how it is named."""

    statements: list[str]
    finder: str
    told: str


CASES = {
    "one byte of a body": Case(
        [f"UPDATE ledger.events SET body = set_byte(body, 20, get_byte(body, 20) # 1) WHERE {IT}"],
        CHECK, f"{RAYON}:{{at}} chain-broken"),
    "an amount in a typed column": Case(
        [f"UPDATE ledger.events SET executed = executed + 1 WHERE {IT}"],
        CHECK, f"{RAYON}:{{at}} column-differs: column executed"),
    "two rows swapped": Case(["DROP INDEX ledger.events_command", SWAPPED],
                             CHECK, f"{RAYON}:{{before}} chain-broken"),
    "a row deleted": Case([f"DELETE FROM ledger.events WHERE {IT}"],
                          CHECK, f"{RAYON}:{{after}} position-gap: position {{at}} is missing"),
    "a tail deleted": Case([f"DELETE FROM ledger.events WHERE position > {{at}} AND {HERE}"],
                           CHECK, f"{RAYON}:{{at}} head-differs"),
    "a cell edited": Case([(f"UPDATE ledger.cells SET executed = executed - 1 WHERE {HERE} "
                           "AND kind = 'contract'")], CHECK, f"{RAYON}:0 cell-differs"),
    "a projection row edited": Case(
        ["UPDATE {live}.sums SET executed = executed + 1 WHERE executed > 0"],
        CHECK, "projection-differs"),
    "a tail rewritten with a recomputed chain": Case(
        ["rewrite"], AGAIN, f"{RAYON} up to position {{end}} is not what was seen and signed"),
    "a whole log rebuilt consistently": Case(["rewrite", "rebuild"], AUDIT, "ALARM (fork)"),
    "a checkpoint rolled back": Case(["restore"], AUDIT, "ALARM (shrunk)"),
}  # fmt: skip


@pytest.fixture(scope="module")
async def audited(server, template, tmp_path_factory):
    """A ledger that an auditor has seen whole, a backup of it from before, and his memory."""
    folder = tmp_path_factory.mktemp("audited")
    await execute(server, f"CREATE DATABASE audited TEMPLATE {template}")
    shutil.copytree(home_of(server, template), folder / "home")
    async with served(server, "audited", folder) as (url, app):
        await post(url, EXAMPLES[:-5])
        await signed(url, app)
    await execute(server, "CREATE DATABASE backup TEMPLATE audited")
    shutil.copytree(folder / "home", folder / "backup")
    async with served(server, "audited", folder) as (url, app):
        await post(url, EXAMPLES[-5:])
        await signed(url, app)
        key = app.state.running.notary.keys.public()[0].text
        code, said = await qazyna("audit", url, "--state", folder / "state", "--key", key)
        assert code == 0, said
    return folder


def served(server, name: str, folder: Path):
    """Serve a database as a fresh process would; gives the URL and the application."""
    settings = Settings(DATABASE_URL=server.dsn(name), home=folder / "home")
    app = create_app(settings, clock=Clock("2025-02-18T12:00:00+05:00"))

    class _Both:
        async def __aenter__(self):
            self.serving = serve(app)
            return await self.serving.__aenter__(), app

        async def __aexit__(self, *how):
            return await self.serving.__aexit__(*how)

    return _Both()


async def post(url: str, documents) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        for document in documents:
            answer = await client.post("/v1/commands", json=document)
            assert answer.status_code == 201, answer.text


async def signed(url: str, app) -> None:
    """Wait until a published tree holds everything, and the reports show it."""
    parts = app.state.running
    async with asyncio.timeout(60):
        wanted = sum(one["position"] for one in await parts.ledger.budgets())
        async with httpx.AsyncClient(base_url=url) as client:
            while True:
                answer = await client.get("/checkpoint")
                size = int(answer.text.split("\n")[1]) if answer.is_success else 0
                if size == wanted and await parts.runner.sequence() == wanted:
                    return
                await asyncio.sleep(0.05)


async def qazyna(*arguments: object, dsn: str = "") -> tuple[int, str]:
    """Run the real program."""

    def run():
        return subprocess.run(
            [sys.executable, "-m", "api.cli", *map(str, arguments)], capture_output=True,
            text=True, cwd=ROOT, timeout=120, check=False,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "DATABASE_URL": dsn},
        )  # fmt: skip

    done = await asyncio.to_thread(run)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
async def copy(server, audited, tmp_path, request):
    """A copy of everything: database, the notary's files, the auditor's memory."""
    name = f"tampered_{abs(hash(request.node.name)) % 10**9}"
    source = "backup" if "rolled back" in request.node.name else "audited"
    await execute(server, f"CREATE DATABASE {name} TEMPLATE {source}")
    await allow_schemas(server, name)
    shutil.copytree(audited / ("home" if source == "audited" else "backup"), tmp_path / "home")
    for one in ("state", "state.memory"):
        shutil.copy(audited / one, tmp_path / one)
    return name, tmp_path


async def rewrite(dsn: str, at: int) -> list[str]:
    """Another act's name in a payment; every later hash of the log and its head follow from it."""
    rows = await query(dsn, f"SELECT position, hash, body FROM ledger.events WHERE {HERE} "
                       "ORDER BY position")  # fmt: skip
    statements, previous = [], rows[at - 2]["hash"]
    for row in rows[at - 1 :]:
        body = row["body"]
        if row["position"] == at:
            body = body.replace(b'"id":"document 14"', b'"id":"document 41"')
            assert body != row["body"]
        previous = link(previous, log_id(RAYON), row["position"], body)
        statements.append(
            f"UPDATE ledger.events SET body = '\\x{body.hex()}', hash = '\\x{previous.hex()}' "
            f"WHERE {HERE} AND position = {row['position']}"
        )
    schema = await live(dsn, "audit_trail")
    return [
        *statements, f"UPDATE ledger.heads SET hash = '\\x{previous.hex()}' WHERE {HERE}",
        f"UPDATE {schema}.rows SET act = 'document 41' WHERE {HERE} AND position = {at}",
    ]  # fmt: skip


async def live(dsn: str, name: str) -> str:
    """The schema of a projection's live version."""
    [row] = await query(dsn, "SELECT schema FROM projections.versions WHERE name = $1 "
                        "AND state = 'live'", name)  # fmt: skip
    return row["schema"]


FORGOTTEN = ["DELETE FROM ledger.checkpoints", "DELETE FROM ledger.tree_heads",
             "DELETE FROM ledger.tiles"]  # fmt: skip


async def payment(dsn: str) -> int:
    """The position of the payment that is tampered with."""
    [row] = await query(dsn, f"SELECT position FROM ledger.events WHERE {HERE} "
                        "AND kind = 'budget.payment.executed'")  # fmt: skip
    return row["position"]


async def commit(dsn: str, folder: Path, case: Case, at: int) -> None:
    """Do it, as a superuser who has the notary's files too."""
    for statement in case.statements:
        if statement == "rewrite":
            await tamper(dsn, *await rewrite(dsn, at))
        elif statement == "rebuild":
            await tamper(dsn, *FORGOTTEN)
            (folder / "home" / "notary.key.checkpoint").unlink()
        elif statement != "restore":  # what is restored is the whole copy
            schema = await live(dsn, "budget_execution")
            await tamper(dsn, statement.format(at=at, live=schema))


@pytest.mark.parametrize("name", CASES)
async def test_it_is_found_and_its_place_is_named(server, copy, name):
    case, (database, folder) = CASES[name], copy
    dsn = server.dsn(database)
    at = await payment(dsn) if case.statements != ["restore"] else 0
    await commit(dsn, folder, case, at)
    if case.finder == CHECK:
        code, said = await qazyna("check", "--home", folder / "home", dsn=dsn)
        assert code == 1
    else:
        again = ["--again"] if case.finder == AGAIN else []
        async with served(server, database, folder) as (url, app):
            if case.finder == AUDIT:
                await signed(url, app)
            code, said = await qazyna("audit", url, "--state", folder / "state", *again)
        assert code == (1 if again else 3), said
    [head] = await query(dsn, f"SELECT position FROM ledger.heads WHERE {HERE}")
    told = case.told.format(at=at, before=at - 1, after=at + 1, end=head["position"])
    assert told in said, said


async def test_only_an_outside_memory_shows_a_consistent_rebuild(server, copy):
    """The database, the notary's files and every report agree: `check` has nothing to say."""
    database, folder = copy
    dsn = server.dsn(database)
    await commit(dsn, folder, CASES["a whole log rebuilt consistently"], await payment(dsn))
    async with served(server, database, folder) as (url, app):
        await signed(url, app)
        fresh = await qazyna("audit", url, "--state", folder / "new", "--rules", "--key",
                             app.state.running.notary.keys.public()[0].text)  # fmt: skip
    assert await qazyna("check", "--home", folder / "home", dsn=dsn) == (0, "")
    assert fresh[0] == 0, fresh[1]


def test_every_row_of_the_docs_is_a_case_and_every_case_a_row():
    rows = re.findall(r"^\| ([^|`]+) \| (`[^|]+`) \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert dict(rows) == {name: case.finder for name, case in CASES.items()}
