"""What must be true of the database: durable settings, immutable tables, honest copies."""

from __future__ import annotations

import asyncpg

from ledger.errors import Broken

DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


async def assert_durable(dsn: str) -> None:
    """Raise `Broken` unless the server keeps what it acknowledges and guards the events."""
    connection = await asyncpg.connect(dsn)
    try:
        for name in DURABLE:
            value = await connection.fetchval("SELECT current_setting($1)", name)
            if value == "off":
                msg = f"the server runs with {name} = off: an acknowledged posting could be lost"
                raise Broken(msg, setting=name)
        encoding = await connection.fetchval("SHOW server_encoding")
        if encoding != "UTF8":
            msg = f"the database has encoding {encoding}, not UTF8"
            raise Broken(msg)
        if connection.get_server_version().major < 17:
            msg = "PostgreSQL 17 or newer is needed"
            raise Broken(msg)
    finally:
        await connection.close()
