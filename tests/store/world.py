"""A small country for the store's tests: five budgets of three regions, planned and funded."""

import asyncio
import tomllib
from datetime import date
from pathlib import Path
from uuid import uuid4

import asyncpg

from ledger.dates import from_iso
from ledger.service import Ledger
from ledger.store.checks import check

ROOT = Path(__file__).parents[2]
REVENUE = ["revenue", "1"]
GRANTS = ["revenue", "4", "02", "1"]
SPENDING = ["expenditure", "01", "101", "001"]
TRANSFERS = ["expenditure", "15", "217", "007"]
REPUBLIC, OBLAST, RAYON = "KZ-2025-republic", "KZ-2025-oblast-1", "KZ-2025-rayon-1"
OBLAST_2, RAYON_2 = "KZ-2025-oblast-2", "KZ-2025-rayon-2"
BUDGETS = {REPUBLIC: (0, 1), OBLAST: (1, 2), RAYON: (1, 3), OBLAST_2: (2, 2), RAYON_2: (2, 3)}
DAY = "2025-03-10"


class Clock:
    """A clock that stands, in microseconds, and moves one microsecond at each look."""

    def __init__(self, day: str = DAY) -> None:
        self.now = from_iso(f"{day}T05:00:00Z")

    def __call__(self) -> int:
        self.now += 1
        return self.now


def _json(value):
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def jurisdiction() -> dict:
    text = (ROOT / "deploy/jurisdictions/kz.toml").read_text(encoding="utf-8")
    return _json(tomllib.loads(text))


def ask(command, budget=RAYON, *, capacity="treasury", day=DAY, command_id=None, **fields):
    """One command as a client writes it."""
    return {"command": command, "command_id": str(command_id or uuid4()), "budget": budget,
            "actor": {"id": "a-1", "capacity": capacity}, "act": {"id": "act", "date": day},
            **fields}  # fmt: skip


def pay(budget=RAYON, amount="1.00", *, contract="C1", command_id=None, day=DAY):
    return ask("ExecutePayment", budget, contract=contract, line=SPENDING, amount=amount,
               value_date=day, command_id=command_id)  # fmt: skip


def send(budget=REPUBLIC, to=OBLAST, amount="1.00", *, command_id=None, line=TRANSFERS):
    return ask("SendTransfer", budget, transfer="subvention", to=to, line=line, to_line=GRANTS,
               amount=amount, value_date=DAY, command_id=command_id)  # fmt: skip


def opening(code=RAYON, region=1, level=3, year=2025):
    return ask("OpenBudget", code, region=region, level=level, year=year, title=code,
               day="2024-12-20")  # fmt: skip


def setting_up(code, level):
    """The commands that approve, plan and fund one budget."""
    legislature = "parliament" if level == 1 else "maslikhat"
    months = [{"month": "2025-01", "amount": "10000000"}]
    return [
        ask("ApproveBudget", code, capacity=legislature, effective_from="2025-01-01",
            day="2024-12-24", balance="0",
            lines=[{"line": REVENUE, "amount": "20000000"},
                   {"line": SPENDING, "amount": "10000000"},
                   {"line": TRANSFERS, "amount": "10000000"}]),
        ask("SetPlan", code, effective_from="2025-01-05",
            lines=[{"line": SPENDING, "commitments": months, "payments": months},
                   {"line": TRANSFERS, "payments": months},
                   {"line": REVENUE, "receipts": [{"month": "2025-01", "amount": "20000000"}]}]),
        ask("CreditReceipt", code, line=REVENUE, amount="9000000", value_date="2025-01-10"),
        ask("RegisterCommitment", code, contract="C1", line=SPENDING, amount="6000000",
            effective_from="2025-01-20"),
    ]  # fmt: skip


async def found(ledger: Ledger) -> None:
    """Adopt the jurisdiction and set up every budget; all of it must be accepted."""
    adopt = ask("AdoptJurisdiction", "rulebook", jurisdiction=jurisdiction(),
                effective_from="2024-01-01", day="2024-01-01")  # fmt: skip
    await accepted(ledger, adopt)
    for code, (region, level) in BUDGETS.items():
        await accepted(ledger, opening(code, region, level), *setting_up(code, level))


async def submit(ledger: Ledger, *documents, atomic=False):
    return await ledger.submit([ledger.read(document) for document in documents], atomic=atomic)


async def accepted(ledger: Ledger, *documents, atomic=False):
    """Submit commands that must all be accepted."""
    answers = await submit(ledger, *documents, atomic=atomic)
    assert [getattr(answer, "status", answer) for answer in answers] == ["accepted"] * len(answers)
    return answers


async def query(dsn, statement, *arguments, role=None):
    """The rows of one statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        if role:
            await connection.execute(f"SET ROLE {role}")
        return await connection.fetch(statement, *arguments)
    finally:
        await connection.close()


async def tamper(dsn, *statements):
    """Change what is stored, as a superuser who takes the guards off for a moment."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            guards = await connection.fetch(
                "SELECT tgrelid::regclass::text AS relation, tgname AS name FROM pg_trigger "
                "WHERE tgname IN ('keep_rows', 'keep_table') AND tgparentid = 0")  # fmt: skip
            for how in ("DISABLE", "ENABLE ALWAYS"):
                for guard in guards:
                    await connection.execute(
                        f"ALTER TABLE {guard['relation']} {how} TRIGGER {guard['name']}"
                    )
                if how == "DISABLE":
                    for statement in statements:
                        await connection.execute(statement)
    finally:
        await connection.close()


async def sequenced(ledger: Ledger, seconds=60) -> int:
    """Wait until everything committed has a sequence; return the last one."""
    statement = "SELECT sum(position)::bigint AS n FROM ledger.heads"
    wanted = (await query(ledger.database.dsn, statement))[0]["n"]
    for _ in range(seconds * 100):
        if ledger.sequencer.last_sequence >= wanted:
            return wanted
        await asyncio.sleep(0.01)
    raise TimeoutError(f"sequenced to {ledger.sequencer.last_sequence} of {wanted}")


async def assert_sound(dsn) -> None:
    """The law of nothing lost, as far as the database alone can tell."""
    assert [str(finding) for finding in await check(dsn)] == []
    lone = await query(
        dsn,
        """
        SELECT e.region, e.log, e.position FROM ledger.events AS e
        WHERE e.peer_log IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM ledger.events AS p
            WHERE p.region = e.peer_region AND p.log = e.peer_log
                AND p.position = e.peer_position AND p.command_id = e.command_id
                AND p.peer_region = e.region AND p.peer_log = e.log
                AND p.peer_position = e.position AND p.recorded_at = e.recorded_at)""",
    )
    assert lone == []
    steps_back = await query(
        dsn,
        """
        SELECT 1 FROM (SELECT recorded_at - lag(recorded_at) OVER (
            PARTITION BY region, log ORDER BY position) AS step FROM ledger.events) AS s
        WHERE step < 0""",
    )
    assert steps_back == []


async def assert_no_limit_broken_at_any_prefix(dsn):
    """Cash, contract and plan at every position of every log, from the typed columns alone."""
    broken = await query(
        dsn,
        """
        SELECT log, position FROM (
            SELECT log, position, contract,
                sum(coalesce(cash, 0)) OVER w AS cash,
                sum(CASE WHEN contract IS NULL THEN 0
                    ELSE coalesce(accepted, 0) - coalesce(executed, 0) END)
                    OVER (PARTITION BY log, contract ORDER BY position) AS room
            FROM ledger.events WHERE account IS NULL
            WINDOW w AS (PARTITION BY log ORDER BY position)
        ) AS f WHERE cash < 0 OR room < 0""",
    )
    assert broken == []


async def allow_schemas(server, name):
    """Grant what `migrate` grants on its database: a copy does not inherit it."""
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        await connection.execute(
            f"GRANT CREATE ON DATABASE {name} TO qazyna_owner, qazyna_projector"
        )
    finally:
        await connection.close()
