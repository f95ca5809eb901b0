"""What must be true of the database: durable settings, immutable tables, honest copies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import asyncpg

import ledger.instruments  # noqa: F401 - fills the registry of events
from ledger.cells import BUDGET, BudgetState, Cell, Key, Overlay
from ledger.errors import Broken, LedgerError
from ledger.events import MEASURES, RULEBOOK, Event, decode, link, log_id
from ledger.limits import guards
from ledger.rules import Rules
from ledger.store.read import Head, fold_rule
from ledger.store.rows import CELL_MEASURES, NUMBER_MAX, key_text
from ledger.store.sql import sql
from ledger.store.tree_check import check_tree

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

    def absent(self, _key: Key) -> Cell | None:
        """A contract or payment that is not here does not exist."""
        return None


async def check(
    dsn: str, *, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> list[Finding]:
    """Compare everything that is stored twice; return what differs, nothing when all is well.

    Chain and positions, typed columns against bodies, heads, cells, their CHECKs and lines against
    the events, sequences without gap or repeat, the guards of the tables, tiles and heads of the
    tree.
    """
    connection = await asyncpg.connect(dsn, server_settings={"role": "qazyna_reader"})
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            findings = await _check_guards(connection)
            findings += await _check_places(connection)
            findings += [Finding(code=c, message=m) for c, m in await check_tree(connection)]
            total = await connection.fetchval("SELECT sum(position) FROM ledger.heads") or 0
            done = 0
            heads = [Head(**dict(row)) for row in await connection.fetch(sql("queries/all_heads"))]
            heads.sort(key=lambda head: head.code != RULEBOOK)  # its rules judge all others
            regions, rules = {head.code: head.region for head in heads}, [Rules()]
            for head in heads:
                log = _Log(head, regions, rules)
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
    async for row in connection.cursor(sql("queries/check_log"), head.region, head.year,
                                       head.log, prefetch=5000):  # fmt: skip
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


class _Change(NamedTuple):
    """The last command that changed a cell: the cell before it, its rules and day, its place."""

    before: Cell | None
    rules_at: int
    on: date
    position: int


class _Log:
    """One log walked from its first event."""

    def __init__(self, head: Head, regions: Mapping[str, int], rules: list[Rules]) -> None:
        """Start before the first event; `regions` are those of all budgets by code.

        `rules` stand by position of the rulebook; the rulebook's own log adds to them.
        """
        self.head = head
        self.regions = regions
        self.rules = rules
        self.changes: dict[Key, _Change] = {}
        self._former: dict[Key, Cell | None] = {}
        self._on = date.min
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
            overlay.evolve(fact)
            if state.code == RULEBOOK:
                self.rules.append(fold_rule(self.rules[-1], fact))
        except (LedgerError, ValueError, KeyError, TypeError) as error:
            self._find("body-unreadable", f"the body cannot be read: {error}", position)
            return
        self._remember(fact, overlay)
        state.take(overlay)
        self._compare(row, fact)

    def _remember(self, fact: Event, overlay: Overlay) -> None:
        """Keep what the CHECKs of changed cells are worked out from: a command as a whole."""
        if fact.asked is not None or fact.command_id != self.before[0]:
            self._former.clear()
            self._on = fact.asked.effective if fact.asked else fact.movement().effective_from
        for key in overlay.changed:
            before = self._former.setdefault(key, self.state.cells.get(key))
            self.changes[key] = _Change(before, fact.rules_at, self._on, self.state.position)

    def guards(self) -> dict[Key, tuple[int, int]]:
        """Return the CHECKs and the tolerance of every cell, as its last command left them."""
        overlays: dict[tuple[int, date], Overlay] = {}
        for key, change in self.changes.items():
            place = min(change.rules_at, len(self.rules) - 1), change.on
            if place not in overlays:
                base = WholeState(self.head.code, self.head.region, self.head.log)
                base.cells[BUDGET] = self.state.cells.get(BUDGET)
                overlays[place] = base.overlay()
            overlays[place].base.cells[key] = change.before
            cell = self.state.cells[key]
            if cell is not None:
                overlays[place].changed[key] = cell
        found: dict[Key, tuple[int, int]] = {}
        for (rules_at, on), overlay in overlays.items():
            if self.rules[rules_at].adopted is not None:  # else the rulebook is not what it was
                found |= guards({self.head.code: overlay}, self.rules[rules_at], on)[self.head.code]
        return found

    def _compare(self, row: Any, fact: Event) -> None:
        """Find typed columns that are not what the body says."""
        movement = fact.movement()
        line = self.state.cells.get(("line", movement.line)) if movement.line else None
        peer = getattr(fact, "peer", None)
        said = {
            "kind": fact.kind, "command_id": fact.command_id, "recorded_at": fact.recorded_at,
            "effective_from": movement.effective_from, "adopted_on": movement.adopted_on,
            "month": movement.month, "line": line.number if line else None,
            "contract": movement.contract,
            "payment": None if movement.payment == fact.command_id else movement.payment,
            "account": movement.account,
            "n": min(self._number(fact, peer), NUMBER_MAX),
            "peer_region": self.regions.get(peer or ""),
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
        if cell is not None
    }  # fmt: skip
    asked = log.guards()
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
        elif cell is not None and (wrong := _wrong_guards(row, asked.get(cell.key))):
            findings.append(
                Finding(
                    code="guards-differ",
                    budget=head.code,
                    position=log.changes[cell.key].position,
                    message=wrong,
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


def _wrong_guards(row: Any, asked: tuple[int, int] | None) -> str:
    """Say what is wrong with the CHECKs of a stored cell, nothing where all is well."""
    if asked in (None, (row["guards"], row["tolerance"])):
        return ""
    return (f"the cell {row['kind']} {row['key']} has the CHECKs {row['guards']} with tolerance "
            f"{row['tolerance']}, by its rules {asked[0]} with {asked[1]}")  # fmt: skip
