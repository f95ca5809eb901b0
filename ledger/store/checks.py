"""What must be true of the database: durable settings, immutable tables, honest copies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

import ledger.instruments  # noqa: F401 - fills the registry of events
from ledger.cells import BudgetState, Cell, Key
from ledger.errors import Broken, LedgerError
from ledger.events import MEASURES, Event, decode, link, log_id
from ledger.store.read import Head
from ledger.store.rows import CELL_MEASURES, key_text
from ledger.store.sql import sql

SERVER_MAJOR_MIN = 17
"""Oldest server with the builtin locale provider."""
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
        if connection.get_server_version().major < SERVER_MAJOR_MIN:
            msg = "PostgreSQL 17 or newer is needed"
            raise Broken(msg)
    finally:
        await connection.close()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not as it must be, and its place: a budget, a position, what differs."""

    code: str
    message: str
    budget: str = ""
    position: int = 0

    def __str__(self) -> str:
        """Write the finding as one line."""
        place = f"{self.budget}:{self.position} " if self.budget else ""
        return f"{place}{self.code}: {self.message}"


class WholeState(BudgetState):
    """A budget's cells built from its whole history: nothing is ever missing."""

    __slots__ = ()

    def get(self, key: Key) -> Cell | None:
        """Return a cell or None."""
        return self.cells.get(key)


async def check(
    dsn: str, *, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> list[Finding]:
    """Compare everything that is stored twice; return what differs, nothing when all is well.

    Chain and positions, typed columns against bodies, heads, cells and lines against the events,
    sequences without gap or repeat, the guards of the tables.
    """
    connection = await asyncpg.connect(dsn, server_settings={"role": "qazyna_reader"})
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            findings = await _check_guards(connection)
            findings += await _check_places(connection)
            total = await connection.fetchval("SELECT sum(position) FROM ledger.heads") or 0
            done = 0
            heads = [Head(**dict(row)) for row in await connection.fetch(sql("queries/all_heads"))]
            regions = {head.code: head.region for head in heads}
            for head in heads:
                log = _Log(head, regions)
                async for event in _events(connection, head):
                    log.take(event)
                    done += 1
                    if done % 1000 == 0:
                        progress(done, total)
                findings += log.findings + log.check_head()
                findings += await _check_cells(connection, log)
            progress(total, total)
    finally:
        await connection.close()
    return findings


async def _events(connection: Any, head: Head) -> AsyncIterator[Any]:
    """Yield the stored rows of a log in order."""
    async for row in connection.cursor(sql("queries/check_log"), head.region, head.log,
                                       prefetch=5000):  # fmt: skip
        yield row


async def _check_guards(connection: Any) -> list[Finding]:
    """Find tables of facts whose immutability triggers are absent or not ENABLE ALWAYS."""
    return [
        Finding(code="guard-missing", message=f"table {row['name']} lacks an always enabled "
                f"trigger against {row['missing']}")
        for row in await connection.fetch(sql("queries/check_guards"))
    ]  # fmt: skip


async def _check_places(connection: Any) -> list[Finding]:
    """Find gaps, repeats and loose ends among sequences, heads and the rulebook."""
    return [
        Finding(code=row["code"], message=row["message"], budget=row["budget"] or "",
                position=row["position"] or 0)
        for row in await connection.fetch(sql("queries/check_places"))
    ]  # fmt: skip


class _Log:
    """One log walked from its first event."""

    def __init__(self, head: Head, regions: Mapping[str, int]) -> None:
        """Start before the first event; `regions` are those of all budgets by code."""
        self.head = head
        self.regions = regions
        self.before: tuple[Any, int] = (None, 0)
        self.state = WholeState(head.code, head.region, head.log)
        self.findings: list[Finding] = []

    def take(self, row: Any) -> None:
        """Check one stored row against its place, its chain hash and its body."""
        state, position = self.state, row["position"]
        if position != state.position + 1:
            self._find("position-gap", f"position {state.position + 1} is missing", position)
        state.position = position
        computed = link(state.head, state.log, position, row["body"])
        if computed != row["hash"]:
            self._find(
                "chain-broken", "the stored hash is not the hash of the stored bytes", position
            )
        state.head = row["hash"]
        try:
            fact = decode(row["body"], state.code, position)
            overlay = state.overlay()
            overlay.apply(fact.movement())
            for key, facts in fact.facts():
                overlay.know(key, facts)
        except (LedgerError, ValueError, KeyError, TypeError) as error:
            self._find("body-unreadable", f"the body cannot be read: {error}", position)
            return
        state.cells.update(overlay.changed)
        self._compare(row, fact)

    def _compare(self, row: Any, fact: Event) -> None:
        """Find typed columns that are not what the body says."""
        movement = fact.movement()
        line = self.state.cells.get(("line", movement.line)) if movement.line else None
        payment = movement.payment if movement.payment != fact.command_id else None
        peer = getattr(fact, "peer", None)
        said = {
            "kind": fact.kind, "command_id": fact.command_id, "recorded_at": fact.recorded_at,
            "effective_from": movement.effective_from, "adopted_on": movement.adopted_on,
            "month": movement.month, "line": line.number if line else None,
            "contract": movement.contract, "payment": payment, "account": movement.account,
            "n": self._number(fact, peer), "peer_region": self.regions.get(peer or ""),
            "peer_log": log_id(peer) if peer else None,
            "peer_position": getattr(fact, "peer_position", None),
            **{measure: movement.amounts.get(measure) for measure in MEASURES},
        }  # fmt: skip
        for column, value in said.items():
            if row[column] != value:
                self._find(
                    "column-differs",
                    f"column {column} says {row[column]}, the body {value}",
                    row["position"],
                )

    def _number(self, fact: Event, peer: str | None) -> int:
        """Count an event within its command and region: the other side of a transfer is second."""
        command_id, number = self.before
        if fact.asked is not None:
            number = 0
        elif command_id == fact.command_id:
            number += 1
        else:
            number = int(self.regions.get(peer or "") == self.head.region)
        self.before = (fact.command_id, number)
        return number

    def check_head(self) -> list[Finding]:
        """Find a head that is not the log's last event."""
        head, state = self.head, self.state
        if (head.position, head.hash) == (state.position, state.head):
            return []
        return [
            Finding(
                code="head-differs",
                message=f"the head says position {head.position}, the log ends at {state.position}",
                budget=head.code,
                position=state.position,
            )
        ]

    def _find(self, code: str, message: str, position: int) -> None:
        """Keep a finding."""
        self.findings.append(
            Finding(code=code, message=message, budget=self.head.code, position=position)
        )


async def _check_cells(connection: Any, log: _Log) -> list[Finding]:
    """Find cells and lines that are not what the log's events sum up to."""
    head, findings = log.head, []
    computed = {
        (key[0], key_text(key)): cell for key, cell in log.state.cells.items()
        if cell is not None and (key[0] != "payment" or cell.facts.get("returned"))
    }  # fmt: skip
    for row in await connection.fetch(sql("queries/check_cells"), head.region, head.log):
        cell = computed.pop((row["kind"], row["key"]), None)
        same = cell is not None and (
            cell.encode() == row["content"] and cell.number == row["number"]
            and all(row[name] == cell.total(name) for name in CELL_MEASURES)
        )  # fmt: skip
        if not same:
            findings.append(
                Finding(
                    code="cell-differs",
                    budget=head.code,
                    message=f"the cell {row['kind']} {row['key']} is not the sum of its events",
                )
            )
    findings += [Finding(code="cell-missing", budget=head.code, message=f"no cell {kind} {key}")
                 for kind, key in computed]  # fmt: skip
    lines = {cell.number: list(cell.key[1]) for cell in log.state.lines()}
    stored = await connection.fetch(sql("queries/check_lines"), head.region, head.log)
    if {row["line"]: row["path"] for row in stored} != lines:
        findings.append(
            Finding(
                code="lines-differ",
                budget=head.code,
                message="the line dictionary is not what the events opened",
            )
        )
    return findings
