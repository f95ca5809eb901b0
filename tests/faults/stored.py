"""What a ledger's database holds, read with nothing of the product but the reading of a body."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from ledger.events import RULEBOOK, Command, decode, plain
from ledger.money import to_text

ROWS = """
SELECT h.code, e.region, e.log, e.position, e.command_id, e.recorded_at, e.hash, e.body, e.kind,
    s.sequence
FROM ledger.events AS e
INNER JOIN ledger.heads AS h USING (region, log)
LEFT JOIN ledger.sequences AS s
    ON s.region = e.region AND s.log = e.log AND s.position = e.position
ORDER BY e.region, e.log, e.position
"""
BUSY = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND application_name = 'qazyna writer' AND state <> 'idle'
"""
WAIT_SECONDS = 90
RESTARTING = (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError,
              asyncpg.OperatorInterventionError)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """One stored event; `asked` is its command on the first event of a command."""

    code: str
    log: int
    position: int
    sequence: int | None
    command_id: str
    recorded_at: int
    hash: bytes
    body: bytes
    rules_at: int
    asked: Command | None
    refusal: str | None

    @property
    def recorded(self) -> str:
        """The moment of recording as ISO 8601."""
        return (datetime(1970, 1, 1, tzinfo=UTC)
                + timedelta(microseconds=self.recorded_at)).isoformat()  # fmt: skip


class Stored:
    """Everything that is stored, in the order of logs and positions."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = list(rows)
        self.events: dict[str, list[Row]] = {}
        self.firsts: dict[str, list[Row]] = {}
        for row in self.rows:
            self.events.setdefault(row.command_id, []).append(row)
            if row.asked is not None:
                self.firsts.setdefault(row.command_id, []).append(row)
        self.at = {(row.code, row.position): row for row in self.rows}

    @property
    def chains(self) -> dict[str, list[bytes]]:
        """The hashes of every log in order of position."""
        found: dict[str, list[bytes]] = {}
        for row in self.rows:
            found.setdefault(row.code, []).append(row.hash)
        return found


def in_order(rows: Iterable[Row], reached: Counter[str]) -> list[Row]:
    """Every command's first event in an order of decisions; `reached` is moved on with them.

    Each log keeps its order, a transfer comes when both its sides stand, and what was decided by
    the same position of the rulebook comes before the rulebook moves on. Sequences alone are no
    such order: two steps may come between what two budgets saw.
    """
    places: dict[str, dict[str, list[int]]] = {}
    for row in rows:
        places.setdefault(row.command_id, {}).setdefault(row.code, []).append(row.position)
    waiting = sorted((row for row in rows if row.asked is not None),
                     key=lambda row: (row.rules_at, row.code == RULEBOOK, row.recorded_at,
                                      row.sequence or 0))  # fmt: skip
    ordered: list[Row] = []
    while waiting:
        later = []
        for first in waiting:
            mine = places[first.command_id]
            ready = first.rules_at <= reached[RULEBOOK] and not (later and first.code == RULEBOOK)
            if ready and all(reached[code] == min(stood) - 1 for code, stood in mine.items()):
                ordered.append(first)
                reached.update({code: len(stood) for code, stood in mine.items()})
            else:
                later.append(first)
        assert len(later) < len(waiting), "commands that wait for each other"
        waiting = later
    return ordered


async def query(dsn: str, statement: str, *arguments: Any) -> list[Any]:
    """Ask the database; wait for it while it is being started again."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while True:
        try:
            connection = await asyncpg.connect(dsn, timeout=10)
        except RESTARTING:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.1)
            continue
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()


async def stored(dsn: str, *, quiet: bool = True) -> Stored:
    """Read everything; `quiet` waits first until no backend writes any more.

    A backend whose client was cut off may still be writing: before its end nobody can say what
    was stored before a retry.
    """
    async with asyncio.timeout(WAIT_SECONDS):
        while quiet and (await query(dsn, BUSY))[0]["count"]:  # noqa: ASYNC110 - the database
            await asyncio.sleep(0.02)
    return Stored([_row(row) for row in await query(dsn, ROWS)])


async def sequenced(dsn: str) -> None:
    """Wait until everything that is committed has its sequence."""
    level = ("SELECT (SELECT coalesce(sum(position), 0) FROM ledger.heads)"
             " = (SELECT count(*) FROM ledger.sequences) AS level")  # fmt: skip
    async with asyncio.timeout(WAIT_SECONDS):
        while not (await query(dsn, level))[0]["level"]:  # noqa: ASYNC110 - the database
            await asyncio.sleep(0.02)


def _row(row: Any) -> Row:
    fact = decode(row["body"], row["code"], row["position"])
    refusal = getattr(fact, "refusal", None)
    return Row(
        code=row["code"], log=row["log"], position=row["position"], sequence=row["sequence"],
        command_id=str(row["command_id"]), recorded_at=row["recorded_at"], hash=row["hash"],
        body=row["body"], rules_at=fact.rules_at, asked=fact.asked,
        refusal=refusal.code if refusal else None,
    )  # fmt: skip


def chain(code: str, bodies: Iterable[bytes]) -> list[bytes]:
    """Compute a log's hashes from its bodies alone (design §2), with no code of the product."""
    log = int.from_bytes(hashlib.sha256(code.encode()).digest()[:8], "big") >> 1
    previous, found = b"", []
    for position, body in enumerate(bodies, 1):
        content = b"\x02" + previous + log.to_bytes(8, "big") + position.to_bytes(8, "big")
        previous = hashlib.sha256(content + len(body).to_bytes(4, "big") + body).digest()
        found.append(previous)
    return found


def wire(asked: Command) -> dict[str, Any]:
    """Write a stored command as a client would: the oracle reads nothing else."""
    return {"command": asked.name, **_texts(plain(asked))}


def _texts(value: Any) -> Any:
    """Turn minor units into decimal strings under their names of the wire."""
    if isinstance(value, dict):
        return {
            key.removesuffix("_minor"): to_text(part, 2) if key.endswith("_minor")
            else _texts(part) for key, part in value.items()
        }  # fmt: skip
    return [_texts(part) for part in value] if isinstance(value, list) else value
