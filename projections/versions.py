"""Versions of a projection: each in a schema of its own, the live one behind stable views.

A swap replaces the views in one transaction, so a reader sees the old or the new one, never
neither; the one before stays for a way back.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from ledger.errors import Broken
from projections.registry import Projection, projections, sql

SETUP_LOCK = 0x71617A76
"""Advisory lock that keeps two processes from making schemas at once ("qazv")."""


def fingerprint(projection: Projection) -> str:
    """Return what identifies the shape and the fold of a projection in this release.

    That is its tables, its `fold.py` and the SQL that writes or reads a whole history; other
    queries may change freely.
    """
    folder = files(f"projections.{projection.name}")
    texts = {item.name: item.read_text(encoding="utf-8") for item in folder.iterdir()
             if item.name == "fold.py" or item.name.endswith(".sql")}  # fmt: skip
    parts = [text for name, text in sorted(texts.items())
             if name in ("fold.py", "tables.sql") or name.startswith("all_")
             or "INSERT INTO" in text]  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


async def prepare(connection: Any) -> list[str]:
    """Make what is missing; return names of projections whose live version another release made."""
    stale = []
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", SETUP_LOCK)
        await connection.execute(sql("", "machinery"))
        for projection in projections():
            live = await connection.fetchrow(sql("", "live_version"), projection.name)
            if live is None:
                schema = await build(connection, projection)
                await put_live(connection, projection, schema)
            elif live["fingerprint"] != fingerprint(projection):
                stale.append(projection.name)
    return stale


async def build(connection: Any, projection: Projection) -> str:
    """Make the empty tables of a new version inside a transaction; return its schema.

    One script, as every trip to the server waits for its turn on a busy machine.
    """
    number = await connection.fetchval(sql("", "next_version"), projection.name)
    schema = f"{projection.name}_{number}"
    own = ("tables", "fold") if projection.folded else ("tables",)
    await connection.execute(
        f"CREATE SCHEMA {schema};{_using(schema)};"  # noqa: S608 - names and digests of ours
        f"{sql('', 'checkpoint')};{';'.join(sql(projection.name, name) for name in own)};"
        f"GRANT USAGE ON SCHEMA {schema} TO qazyna_reader;"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO qazyna_reader;"
        "INSERT INTO projections.versions (name, number, schema, state, fingerprint) VALUES"
        f" ('{projection.name}', {number}, '{schema}', 'building', '{fingerprint(projection)}')"
    )
    return schema


async def put_live(connection: Any, projection: Projection, schema: str) -> None:
    """Point the readers' views to a version inside a transaction; the live one becomes old."""
    name = projection.name
    shown = {table: f"TABLE {schema}.{table}" for table in ("checkpoint", *projection.tables)}
    query = "SELECT region, log, applied FROM projections.parked"
    shown["parked"] = f"{query} WHERE schema = '{schema}'"
    changed = await connection.fetchval(sql("", "fingerprint_changes"), name, schema)
    script = [
        f"CREATE SCHEMA IF NOT EXISTS {name}",
        f"GRANT USAGE ON SCHEMA {name} TO qazyna_reader",
    ]
    for view, query in shown.items():
        if changed:
            script.append(f"DROP VIEW IF EXISTS {name}.{view}")
        script.append(f"CREATE OR REPLACE VIEW {name}.{view} AS {query}")
        script.append(f"GRANT SELECT ON {name}.{view} TO qazyna_reader")
    change = "UPDATE projections.versions SET state ="
    script.append(f"{change} 'old' WHERE name = '{name}' AND state = 'live'")
    script.append(f"{change} 'live' WHERE schema = '{schema}'")
    await connection.execute(";".join(script))


def _using(schema: str) -> str:
    """Return the script of `use`."""
    return f"SET LOCAL search_path = {schema}, pg_catalog; SET LOCAL synchronous_commit = off"


async def use(connection: Any, schema: str) -> None:
    """Let unqualified names mean a version's tables until the transaction ends.

    What a crash of the server loses of a projection is applied again: no waiting for the disk.
    """
    await connection.execute(_using(schema))


@asynccontextmanager
async def unkeyed(connection: Any, tables: Sequence[str]) -> AsyncIterator[None]:
    """Take the primary keys off while tables are filled: to build one once costs a third."""
    keys = await connection.fetch(sql("", "keys"), tables)
    change = [f"ALTER TABLE {key['of']}" for key in keys]
    await connection.execute(";".join(
        f"{alter} DROP CONSTRAINT {key['name']}" for alter, key in zip(change, keys, strict=True)
    ))  # fmt: skip
    yield
    await connection.execute(";".join(
        f"{alter} ADD CONSTRAINT {key['name']} {key['shape']}"
        for alter, key in zip(change, keys, strict=True)
    ))  # fmt: skip


SWAPS_SEEN_MAX = 5
"""Most swaps in a row that a look-up of the live version waits for."""


async def live_schema(connection: Any, name: str) -> str:
    """Return the live version's schema and keep it live until the transaction ends.

    A statement that waited for a swap sees the old row, no longer live, and not yet the new one;
    the next statement sees the new one.
    """
    for _ in range(SWAPS_SEEN_MAX):
        schema: str | None = await connection.fetchval(
            "SELECT schema FROM projections.versions WHERE name = $1 AND state = 'live' FOR SHARE",
            name,
        )
        if schema is not None:
            return schema
    raise Broken(f"the projection {name} has no live version")


async def drop(connection: Any, schema: str) -> None:
    """Remove a version that is neither live nor wanted for a way back."""
    await connection.execute(
        f"DROP SCHEMA IF EXISTS {schema} CASCADE;"  # noqa: S608 - a schema of ours
        f"DELETE FROM projections.parked WHERE schema = '{schema}';"
        f"DELETE FROM projections.versions WHERE schema = '{schema}'"
    )
