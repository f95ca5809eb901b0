"""What PostgreSQL itself can do with rows like ours, into a plain table of the events' shape.

The table has the events' columns, primary key and command index, and nothing else: no
partitions, triggers, heads, cells, hashing or decisions.
"""

from __future__ import annotations

import asyncio
import re
import time
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from ledger.store.embedded import find_binaries
from tests.bench.country import command_id

BULK_ROWS = 1000
"""Rows of one statement of the raw bulk insert."""
CLIENTS = 32
_places = count(10**12, 10**7)


async def make_plain(dsn: str) -> None:
    """Make the plain table, and the numbers that pgbench gives to its rows."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "CREATE SCHEMA bench; CREATE SEQUENCE bench.place CACHE 1000;"
            "CREATE TABLE bench.plain (LIKE ledger.events INCLUDING INDEXES INCLUDING STORAGE)"
        )
    finally:
        await connection.close()


async def typical_body(dsn: str) -> bytes:
    """Return the body of an accepted payment of our average length."""
    connection = await asyncpg.connect(dsn)
    try:
        found: bytes = await connection.fetchval(
            "SELECT body FROM ledger.events WHERE length(body) <= ("
            "SELECT avg(length(body)) FROM ledger.events WHERE kind::text LIKE '%payment%')"
            " AND kind::text LIKE '%payment%' ORDER BY length(body) DESC LIMIT 1"
        )
    finally:
        await connection.close()
    return found


def _single(body: bytes) -> str:
    """The single-row insert: an accepted payment's row."""
    return (
        "INSERT INTO bench.plain (region, log, position, year, command_id, n, kind, recorded_at,"
        " effective_from, adopted_on, line, contract, executed, cash, hash, body) VALUES ("
        "1, {log}, nextval('bench.place'), 2025, uuidv7(), 0, 'budget.payment.executed',"
        " 1741582800000000, '2025-03-10', '2025-03-10', 1, 'C1', 100, -100,"
        f" '\\x{'5a' * 32}', '\\x{body.hex()}')"
    )


def pgbench() -> Path | None:
    """The program pgbench beside the server's binaries, if it is there."""
    program = find_binaries()[0] / "pgbench"
    return program if program.exists() else None


async def pgbench_rate(
    dsn: str, text: str, seconds: float, folder: Path, *, clients: int = CLIENTS
) -> float:
    """Transactions a second of a pgbench script, prepared; raises where there is no pgbench."""
    program = pgbench()
    if program is None:
        raise RuntimeError("there is no pgbench beside the server's binaries")
    script = folder / "script.sql"
    script.write_text(text, "utf-8")
    process = await asyncio.create_subprocess_exec(
        program, "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(2, clients)),
        "-T", str(max(1, round(seconds))), "-f", script, dsn,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    told = re.search(rb"tps = ([0-9.]+)", out)
    if process.returncode or told is None:
        raise RuntimeError(f"pgbench failed: {err.decode()}")
    return float(told[1])


async def single_rows(dsn: str, seconds: float, folder: Path) -> float:
    """Rows a second of `pgbench -c 32` (32 asyncpg connections where there is no pgbench)."""
    statement = _single(await typical_body(dsn))
    if pgbench() is None:
        return await _single_by_asyncpg(dsn, statement.format(log=1), seconds)
    script = f"\\set log random(1, 2620)\n{statement.format(log=':log')};\n"
    return await pgbench_rate(dsn, script, seconds, folder)


async def _single_by_asyncpg(dsn: str, statement: str, seconds: float) -> float:
    """Rows a second of the same statement by asyncpg connections of this process."""
    connections = [await asyncpg.connect(dsn) for _ in range(CLIENTS)]
    ends, done = time.perf_counter() + seconds, 0

    async def insert(connection: Any) -> None:
        nonlocal done
        prepared = await connection.prepare(statement)
        while time.perf_counter() < ends:
            await prepared.fetch()
            done += 1

    await asyncio.gather(*(insert(connection) for connection in connections))
    for connection in connections:
        await connection.close()
    return done / seconds


class Bulk:
    """Raw bulk `unnest` of rows that the ledger wrote, under new places and ids."""

    def __init__(self, names: list[str], types: list[str], rows: list[Any]) -> None:
        """Take the columns and the rows to repeat."""
        self.names = names
        self.rows = rows
        texts = {"ledger.kind": "text[]::ledger.kind"}  # as plain as the driver can send it
        arrays = ", ".join(f"${n}::{texts.get(kind, kind)}[]" for n, kind in enumerate(types, 1))
        self.statement = f"INSERT INTO bench.plain SELECT * FROM unnest({arrays})"

    @classmethod
    async def like(cls, dsn: str, rows_max: int = 20_000) -> Bulk:
        """Take the newest rows of the ledger's own traffic."""
        connection = await asyncpg.connect(dsn)
        try:
            columns = await connection.fetch(
                "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
                " WHERE attrelid = 'ledger.events'::regclass AND attnum > 0 AND NOT attisdropped"
                " ORDER BY attnum"
            )
            rows = await connection.fetch(
                "SELECT * FROM ledger.events WHERE year <> 0 ORDER BY recorded_at DESC LIMIT $1",
                rows_max,
            )
        finally:
            await connection.close()
        return cls([row["attname"] for row in columns], [row["type"] for row in columns], rows)

    def batches(self, many: int) -> list[list[list[Any]]]:
        """Prepare the arguments of statements for `many` rows."""
        start, found = next(_places), []
        place, identity = self.names.index("position"), self.names.index("command_id")
        for first in range(0, many, BULK_ROWS):
            size = min(BULK_ROWS, many - first)
            rows = [self.rows[(first + n) % len(self.rows)] for n in range(size)]
            columns = [list(column) for column in zip(*rows, strict=True)]
            columns[place] = list(range(start + first, start + first + size))
            columns[identity] = [UUID(command_id()) for _ in range(size)]
            found.append(columns)
        return found

    async def rate(self, dsn: str, many: int, connections: int) -> float:
        """Rows a second of so many connections, each statement committed alone."""
        batches = iter(self.batches(many))
        opened = [await asyncpg.connect(dsn) for _ in range(connections)]

        async def insert(connection: Any) -> None:
            for batch in batches:
                await connection.execute(self.statement, *batch)

        began = time.perf_counter()
        await asyncio.gather(*(insert(connection) for connection in opened))
        seconds = time.perf_counter() - began
        for connection in opened:
            await connection.close()
        return many / seconds
