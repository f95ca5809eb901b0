"""The annex: personal values beside the log, kept and destroyed in the append's transaction.

The writer keeps, compares and destroys through functions and reads no value; only the role of
`disclose` and `find` does. A repeated command brings other salts, so its values are compared with
those that are kept; what was erased meanwhile cannot be, counts as the same and is not kept again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from ledger.errors import NotFound
from ledger.events import Command, log_id
from ledger.proofs.annex import SALT_BYTES, Disclosure, commitment, commitments_of
from ledger.store.read import find_heads
from ledger.store.sql import sql
from ledger.terms import PERSONAL

Key = tuple[str, str]
"""A command: its budget and its id."""
Kept = Mapping[str, bool]
"""Fields whose values are still kept, and whether the value that came again is the same."""


def seal(field: str, value: str) -> tuple[bytes, str]:
    """Commit to a personal value under a new random salt (`terms.Seal`)."""
    salt = secrets.token_bytes(SALT_BYTES)
    return salt, commitment(salt, field, value).hex()


def same_annex(earlier: Command, asked: Command, kept: Kept | None = None) -> bool:
    """Tell whether a repeat brings the same personal fields with the values that are kept.

    `kept` is what the database says; without it the earlier command still has its values.
    """
    if earlier.annex is None or asked.annex is None:
        return earlier.annex is asked.annex
    if set(earlier.annex.given()) != set(asked.annex.given()):
        return False
    if kept is not None:
        return all(kept.values())
    before, now = earlier.annex.opened, asked.annex.opened
    return all(before[name][1] == value for name, (_, value) in now.items())


async def write_annex(connection: Any, staged: Iterable[tuple[int, Command]]) -> None:
    """Keep and destroy the personal values of staged commands (region, command), in order."""
    waiting: dict[int, list[tuple[Any, ...]]] = {}
    for region, asked in staged:
        if asked.annex is not None:
            waiting.setdefault(region, []).extend(
                (log_id(asked.budget), asked.command_id, name, salt, value)
                for name, (salt, value) in asked.annex.opened.items()
            )
        if asked.erases:
            await _keep(connection, waiting)
            erased: Any = asked
            await connection.execute(
                "SELECT ledger.erase_annex($1, $2, $3, $4)", region, log_id(asked.budget),
                erased.erased_command, list(erased.fields),
            )  # fmt: skip
    await _keep(connection, waiting)


async def _keep(connection: Any, waiting: dict[int, list[tuple[Any, ...]]]) -> None:
    """Keep what waits, one call a region, and forget it."""
    for region, rows in waiting.items():
        if rows:
            await connection.execute("SELECT ledger.keep_annex($1, $2, $3, $4, $5, $6)", region,
                                     *map(list, zip(*rows, strict=True)))  # fmt: skip
    waiting.clear()


async def compare_annex(
    connection: Any, region: int, commands: Sequence[Command]
) -> dict[UUID, dict[str, bool]]:
    """Return, by command id, which values that came again are kept and whether they are equal."""
    rows = [(asked.command_id, name, value) for asked in commands if asked.annex is not None
            for name, (_, value) in asked.annex.opened.items()]  # fmt: skip
    found: dict[UUID, dict[str, bool]] = {}
    if rows:
        for row in await connection.fetch(
            "SELECT * FROM ledger.compare_annex($1, $2, $3, $4)", region,
            *map(list, zip(*rows, strict=True)),
        ):  # fmt: skip
            found.setdefault(row["command_id"], {})[row["field"]] = row["same"]
    return found


async def disclose(dsn: str, budget: str, command_id: UUID) -> Disclosure:
    """Open what is kept of a command's annex, for an auditor with the right to it.

    Raises `NotFound` for a command that is not stored or never had an annex.
    """
    connection = await asyncpg.connect(dsn, server_settings={"role": "qazyna_annex"})
    try:
        head = (await find_heads(connection, [budget])).get(budget)
        if head is None:
            raise NotFound("unknown-budget", f"no budget {budget} is open", budget=budget)
        stored = await connection.fetch(sql("queries/find_commands"), head.region, [command_id])
        row = next((row for row in stored if row["code"] == budget), None)
        if row is None or not _has_annex(row["body"]):
            raise NotFound("unknown-annex", f"no command {command_id} of {budget} has an annex",
                           budget=budget, command_id=str(command_id))  # fmt: skip
        opened = await connection.fetch(sql("queries/open_annex"), head.region, head.log,
                                        command_id)  # fmt: skip
    finally:
        await connection.close()
    values = {found["field"]: (found["salt"], found["value"]) for found in opened}
    return Disclosure(budget, row["position"], row["body"], values)


async def find_value(dsn: str, value: str) -> list[tuple[str, UUID, str]]:
    """Return (budget, command id, field) of every annex that holds exactly this value."""
    connection = await asyncpg.connect(dsn, server_settings={"role": "qazyna_annex"})
    try:
        rows = await connection.fetch(sql("queries/find_annex"), value)
    finally:
        await connection.close()
    return [(row["code"], row["command_id"], row["field"]) for row in rows]


async def annex_differences(dsn: str) -> list[str]:
    """Name what is wrong between bodies and annex, nothing when all is well.

    A commitment without its value and without an erasure is a lost value; a value must open the
    commitment of its event; nothing else may stand in the table.
    """
    connection = await asyncpg.connect(dsn, server_settings={"role": "qazyna_annex"})
    try:
        rows = await connection.fetch(sql("queries/check_annex"))
        loose = await connection.fetch(sql("queries/loose_annex"))
    finally:
        await connection.close()
    promised: dict[Key, tuple[int, dict[str, str]]] = {}
    kept: dict[Key, dict[str, str]] = {}
    erased: dict[Key, list[tuple[int, set[str]]]] = {}
    for row in rows:
        body = orjson.loads(row["body"])
        key = row["code"], body["command_id"]
        if _has_annex(row["body"]):
            promised[key] = row["position"], commitments_of(row["body"])
        if row["field"] is not None:
            opened = commitment(row["salt"], row["field"], row["value"]).hex()
            kept.setdefault(key, {})[row["field"]] = opened
        if body["kind"] == "ledger.annex.erased":
            order = body["command"]
            names = set(order.get("fields", PERSONAL))
            erased.setdefault((row["code"], order["erased_command"]), []).append(
                (row["position"], names)
            )
    found = [f"{row['command_id']} {row['field']}: no event commits to it" for row in loose]
    return found + list(_compared(promised, kept, erased))


def _compared(
    promised: Mapping[Key, tuple[int, dict[str, str]]],
    kept: Mapping[Key, Mapping[str, str]],
    erased: Mapping[Key, Sequence[tuple[int, set[str]]]],
) -> Iterator[str]:
    """Yield what differs between commitments, values that are kept and orders to erase."""
    for key, (position, commitments) in promised.items():
        place = f"{key[0]}:{position}"
        gone = {name for at, names in erased.get(key, ()) if at > position for name in names}
        for name, promise in commitments.items():
            opened_to = kept.get(key, {}).get(name)
            if opened_to is None and name not in gone:
                yield f"{place} {name}: the value is lost, nobody ordered its erasure"
            elif opened_to is not None and opened_to != promise:
                yield f"{place} {name}: the kept value is not the one committed to"
            elif opened_to is not None and name in gone:
                yield f"{place} {name}: erased, but the value is still there"


async def shred_annex(dsn: str) -> None:
    """Write the table's file anew and put it on the disk: nothing erased is left in it.

    Needs the owner or a superuser; postings with an annex wait meanwhile.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("VACUUM (FULL) ledger.annex")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _has_annex(body: bytes) -> bool:
    """Tell whether a stored body commits to personal values."""
    return "annex" in orjson.loads(body).get("command", {})
