"""Migrations: numbered SQL files, applied once and in order; functions and grants every time.

Run by a login that may become `qazyna_owner` (the embedded superuser, or an administrator).
"""

from __future__ import annotations

from typing import Any

import asyncpg

from ledger.errors import Broken
from ledger.store.sql import folder, sql

LOCK = 0x71617A796E61
"""Advisory lock that keeps two migrations apart ("qazyna")."""
GUARDED = ("events", "lines", "steps", "landmarks", "tiles", "tree_heads", "checkpoints")
"""Tables whose rows never change; the partitions of `events` are guarded as they are made."""


async def migrate(dsn: str) -> list[str]:
    """Bring a database to this release's schema; return the migrations applied now."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await _roles(connection)
        async with connection.transaction():
            await connection.execute("SET LOCAL ROLE qazyna_owner")
            applied = await _apply(connection)
            for name in folder("functions"):
                await connection.execute(sql(f"functions/{name}"))
            for table in GUARDED:
                await connection.execute("SELECT ledger.guard_table($1)", table)
            await connection.execute("SELECT ledger.ensure_year(0)")
            await connection.execute(sql("grants"))
        return applied
    finally:
        await connection.close()


async def _roles(connection: Any) -> None:
    """Make the cluster's roles and let the owner and the projector make schemas here."""
    await connection.execute(sql("roles"))
    database = await connection.fetchval("SELECT quote_ident(current_database())")
    await connection.execute(
        f"GRANT CREATE ON DATABASE {database} TO qazyna_owner, qazyna_projector"
    )


async def _apply(connection: Any) -> list[str]:
    """Apply the migrations that the database does not have yet."""
    known: dict[int, str] = {}
    if await connection.fetchval("SELECT to_regclass('ledger.migrations')"):
        rows = await connection.fetch("SELECT number, name FROM ledger.migrations")
        known = {row["number"]: row["name"] for row in rows}
    names = {int(name[:4]): name for name in folder("migrations")}
    newer = sorted(set(known) - set(names))
    if newer:
        msg = f"the database is newer than this release: migrations {newer}"
        raise Broken(msg)
    applied = []
    for number in sorted(set(names) - set(known)):
        await connection.execute(sql(f"migrations/{names[number]}"))
        await connection.execute(
            "INSERT INTO ledger.migrations VALUES ($1, $2)", number, names[number]
        )
        applied.append(names[number])
    return applied
