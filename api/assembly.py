"""Putting the parts together: database, ledger and projections, for the service and the CLI.

Embedded PostgreSQL unless `DATABASE_URL` names a server; nothing else differs between the two.
"""

from __future__ import annotations

import asyncio
import logging
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import asyncpg

from api.cosigning import Cosigning
from api.settings import PROJECT, Settings
from ledger.dates import from_iso, local_day
from ledger.errors import Broken, Invalid, LedgerError
from ledger.events import RULEBOOK, canonical
from ledger.proofs.policy import Policy
from ledger.proofs.verify import ProofError
from ledger.service import Ledger, system_clock
from ledger.store.checks import assert_durable
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.evidence import Evidence
from ledger.store.keys import Keys
from ledger.store.migrate import migrate
from ledger.store.notary import Notary
from ledger.store.receipting import Receipting
from projections.runner import Runner

log = logging.getLogger(__name__)
SYSTEM_CLOCK = "system"
OFFSET = "qazyna.clock_offset"
"""Setting of a trial ledger's database: microseconds between its clock and the system's."""
JURISDICTIONS = PROJECT / "deploy" / "jurisdictions"


@dataclass(frozen=True)
class Running:
    """A ledger that runs, with the projections that follow it."""

    ledger: Ledger
    runner: Runner
    dsn: str
    notary: Notary
    evidence: Evidence
    receipting: Receipting
    witnesses: Cosigning | None = None
    bundling: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Held while a report's bundle is gathered."""


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Callable[[], int] | None = None,
    jurisdiction: str | None = None,
) -> AsyncIterator[Running]:
    """Start everything, hand it out, and stop it in order.

    Must be entered on the main thread when the embedded server is used.
    """
    async with AsyncExitStack() as stack:
        dsn = settings.database_url
        if dsn is None:
            embedded = EmbeddedPostgres(settings.home)
            embedded.start()
            stack.callback(embedded.stop)
            dsn = embedded.dsn()
        await migrate(dsn)
        await assert_durable(dsn)
        ledger = Ledger(
            dsn, clock=clock or await ledger_clock(settings.clock, dsn),
            queue_commands_max=settings.queue_commands_max,
        )  # fmt: skip
        await stack.enter_async_context(ledger)
        await adopt(ledger, jurisdiction or settings.jurisdiction)
        runner = Runner(ledger.database, ledger.sequencer)
        await runner.start()
        stack.push_async_callback(runner.stop)
        evidence = Evidence(ledger.database)
        witnesses = witnesses_of(settings, evidence)
        if witnesses is not None:
            stack.push_async_callback(witnesses.close)
        notary = Notary(ledger.database, ledger.clock, keys_of(settings), origin=settings.origin,
                        witnesses=witnesses)  # fmt: skip
        await notary.start()
        stack.push_async_callback(notary.stop)
        receipting = Receipting(
            ledger.database, ledger.clock, receipt_keys_of(settings), keys_of(settings)
        )
        yield Running(ledger, runner, dsn, notary, evidence, receipting, witnesses)


def keys_of(settings: Settings) -> Keys:
    """Return the notary's key file: the one that is named, else in the home."""
    return Keys(settings.notary_key or settings.home / "notary.key")


def receipt_keys_of(settings: Settings) -> Keys:
    """Return the key file that signs receipts and nothing else: beside the notary's."""
    return Keys(keys_of(settings).path.with_name("receipts.key"))


def witnesses_of(settings: Settings, evidence: Evidence) -> Cosigning | None:
    """Return who asks the witnesses of the policy file; None where none is named."""
    if settings.witnesses is None:
        return None
    return Cosigning(read_policy(settings.witnesses), evidence.consistency)


def read_policy(path: Path) -> Policy:
    """Read a policy file. Raises `Invalid`."""
    try:
        return Policy.parse(path.read_bytes())
    except (OSError, ProofError) as error:
        msg = f"{path}: {error}"
        raise Invalid(msg) from error


async def ledger_clock(start: str | None, dsn: str) -> Callable[[], int]:
    """Return the ledger's clock: the system's, or on a trial ledger one that is set back.

    A trial clock starts at a moment, never before the newest event. Its offset is a setting of
    the database, so every process on the ledger has the same clock; "system" gives it up.
    Raises `Invalid` where the login may not change the database's settings.
    """
    connection = await asyncpg.connect(dsn)
    try:
        database = await connection.fetchval("SELECT quote_ident(current_database())")
        if start == SYSTEM_CLOCK:
            await connection.execute(f"ALTER DATABASE {database} RESET {OFFSET}")
            return system_clock
        if start is None:
            stored = await connection.fetchval("SELECT current_setting($1, true)", OFFSET)
            offset = int(stored or 0)
        else:
            newest = await connection.fetchval("SELECT max(recorded_at) FROM ledger.heads")
            offset = max(from_iso(start), newest or 0) - system_clock()
            await connection.execute(f"ALTER DATABASE {database} SET {OFFSET} = '{offset}'")
    except asyncpg.InsufficientPrivilegeError as error:
        msg = f"a trial clock needs a login that may set the database's settings: {error}"
        raise Invalid(msg) from error
    finally:
        await connection.close()
    if not offset:
        return system_clock
    log.warning("a trial ledger: its clock runs %s seconds beside the system's", offset // 10**6)
    return lambda: system_clock() + offset


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file as JSON types: dates become "YYYY-MM-DD". Raises `Invalid`."""
    try:
        with path.open("rb") as file:
            found: dict[str, Any] = _json_types(tomllib.load(file))
    except (OSError, tomllib.TOMLDecodeError) as error:
        msg = f"{path}: {error}"
        raise Invalid(msg) from error
    return found


def _json_types(value: Any) -> Any:
    """Turn TOML values into JSON values."""
    if isinstance(value, dict):
        return {key: _json_types(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_types(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


async def adopt(ledger: Ledger, name: str) -> None:
    """Give an empty ledger its jurisdiction and the code lists that ship with it."""
    if ledger.rules.adopted is not None:
        return
    document = read_toml(JURISDICTIONS / f"{name}.toml")
    today = local_day(ledger.clock(), str(document["timezone"])).isoformat()
    commands = [_rule("AdoptJurisdiction", today, jurisdiction=document, effective_from=today)]
    lists = JURISDICTIONS / f"{name}.classifiers.toml"
    if lists.exists():
        commands += [
            _rule("PublishClassifier", today, **version)
            for version in read_toml(lists)["classifiers"]
        ]
    for answer in await ledger.submit([ledger.read(command) for command in commands]):
        if isinstance(answer, LedgerError):
            raise answer
        if answer.status != "accepted":
            msg = f"the jurisdiction {name} was refused: {answer.refusal}"
            raise Broken(msg)
    log.info("adopted the jurisdiction %s", name)


def _rule(command: str, today: str, **fields: Any) -> dict[str, Any]:
    """Return a command of the rulebook whose id follows from its content."""
    content = {"command": command, "budget": RULEBOOK, **fields,
               "actor": {"id": "qazyna", "capacity": "treasury"},
               "act": {"id": "jurisdiction shipped with this release", "date": today}}  # fmt: skip
    digest = uuid5(NAMESPACE_URL, canonical({"command": command, **fields}).decode())
    return {**content, "command_id": str(digest)}
