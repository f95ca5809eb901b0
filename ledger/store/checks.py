"""What must be true of the database: durable settings, immutable tables, honest copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import asyncpg

import ledger.instruments  # noqa: F401 - fills the registry of events
from ledger.cells import BUDGET, BudgetState, Cell, Key, Overlay
from ledger.errors import Broken, LedgerError
from ledger.events import MEASURES, RULEBOOK, Event, canonical, decode, link, log_id
from ledger.limits import guards
from ledger.rules import Rules
from ledger.store.read import Head, fold_rule, read_past
from ledger.store.rows import CELL_MEASURES, NUMBER_MAX, key_text
from ledger.store.sql import sql
from ledger.store.tree_check import check_tree
from ledger.timelines import Timeline

SERVER_MAJOR_MIN = 17
"""Oldest server with the builtin locale provider."""
COPIES = (
    "kind",
    "command_id",
    "n",
    "recorded_at",
    "effective_from",
    "adopted_on",
    "month",
    "line",
    "contract",
    "payment",
    "account",
    "peer_region",
    "peer_log",
    "peer_position",
    *MEASURES,
)
"""The typed columns, which say again what a body says, in the order of `check_year.sql`."""
FIRST_COPY = 5
"""Where they begin in its rows."""
CELLS_TOGETHER = 5_000
"""Cells of walked logs that are compared with the stored ones by one reading."""
PAGE = 5_000
"""Rows that are fetched together."""
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

            def tell() -> None:
                nonlocal done
                done += 1
                if done % 1000 == 0:
                    progress(done, total)

            waiting: list[_Log] = []
            cells = 0
            async for log in _logs(connection, tell):
                waiting.append(log)
                cells += len(log.state.cells)
                if cells >= CELLS_TOGETHER:
                    findings += await _check_cells(connection, waiting)
                    waiting, cells = [], 0
            findings += await _check_cells(connection, waiting)
            progress(total, total)
    finally:
        await connection.close()
    return findings


async def _logs(connection: Any, tell: Callable[[], None]) -> AsyncIterator[_Log]:
    """Yield every log that has a head, walked to its end; `tell` is called for each event.

    The rulebook is first: its rules judge all others. One reading a year, in the order of the key,
    however many logs there are.
    """
    heads = [Head(**dict(row)) for row in await connection.fetch(sql("queries/all_heads"))]
    heads.sort(key=lambda head: (head.code != RULEBOOK, head.year, head.region, head.log))
    regions, rules = {head.code: head.region for head in heads}, [Rules()]
    for year, own in groupby(heads, key=lambda head: head.year):
        logs = (_Log(head, regions, rules) for head in own)
        log = next(logs, None)
        async for row in connection.cursor(sql("queries/check_year"), year, prefetch=PAGE):
            place = row["region"], row["log"]
            while log is not None and log.place < place:
                yield log
                log = next(logs, None)
            if log is not None and log.place == place:
                log.take(row)
                tell()
        while log is not None:
            yield log
            log = next(logs, None)


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

    @property
    def place(self) -> tuple[int, int]:
        """Region and number."""
        return self.head.region, self.head.log

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
        said = (
            fact.kind, fact.command_id, min(self._number(fact, peer), NUMBER_MAX),
            fact.recorded_at, movement.effective_from, movement.adopted_on, movement.month,
            line.number if line else None, movement.contract,
            None if movement.payment == fact.command_id else movement.payment, movement.account,
            self.regions.get(peer) if peer else None, log_id(peer) if peer else None,
            getattr(fact, "peer_position", None), *map(movement.amounts.get, MEASURES),
        )  # fmt: skip
        stored = row[FIRST_COPY:]
        if stored == said:
            return
        for column, value, meant in zip(COPIES, stored, said, strict=True):
            if value != meant:
                self._find(
                    "column-differs",
                    f"column {column} says {value}, the body {meant}",
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

    def check_cells(self, stored: Iterable[Any], past: Iterable[Any]) -> Iterator[Finding]:
        """Yield stored cells that are not what the events sum up to, and such as are missing."""
        pasts: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for row in past:
            pasts[row["kind"], row["key"]].append(row)
        computed = {(key[0], key_text(key)): cell for key, cell in self.state.cells.items()
                    if cell is not None}  # fmt: skip
        asked, code = self.guards(), self.head.code
        for row in stored:
            place = row["kind"], row["key"]
            cell = computed.pop(place, None)
            name = f"{row['kind']} {row['key']}"
            if cell is None or not _same(row, cell, pasts.pop(place, ())):
                yield Finding(code="cell-differs", budget=code,
                              message=f"the cell {name} is not the sum of its events")  # fmt: skip
            elif wrong := _wrong_guards(row, asked.get(cell.key)):
                yield Finding(code="guards-differ", budget=code, message=wrong,
                              position=self.changes[cell.key].position)  # fmt: skip
        for kind, key in computed:
            yield Finding(code="cell-missing", budget=code, message=f"no cell {kind} {key}")
        for kind, key in pasts:
            yield Finding(code="cell-differs", budget=code,
                          message=f"older days of {kind} {key}, which is no cell")  # fmt: skip

    def check_lines(self, stored: Iterable[Any]) -> Iterator[Finding]:
        """Yield a finding where the stored dictionary of lines is not what the events opened."""
        lines = {cell.number: list(cell.key[1]) for cell in self.state.lines()}
        if {row["line"]: row["path"] for row in stored} != lines:
            yield Finding(code="lines-differ", budget=self.head.code,
                          message="the line dictionary is not what the events opened")  # fmt: skip

    def _find(self, code: str, message: str, position: int) -> None:
        """Keep a finding."""
        self.findings.append(
            Finding(code=code, message=message, budget=self.head.code, position=position)
        )


async def _check_cells(connection: Any, logs: Sequence[_Log]) -> list[Finding]:
    """Return the findings of walked logs, and the cells and lines that differ from their events."""
    places = [log.head.region for log in logs], [log.head.log for log in logs]
    cells, past, lines = (defaultdict[tuple[int, int], list[Any]](list) for _ in range(3))
    for name, found in (("check_cells", cells), ("check_past", past), ("check_lines", lines)):
        for row in await connection.fetch(sql(f"queries/{name}"), *places):
            found[row["region"], row["log"]].append(row)
    return [finding for log in logs for finding in (
        *log.findings, *log.check_head(), *log.check_cells(cells[log.place], past[log.place]),
        *log.check_lines(lines[log.place]))]  # fmt: skip


def _same(row: Any, cell: Cell, past: Sequence[Any]) -> bool:
    """Tell whether a stored cell, with the parts of its past, is the computed one."""
    return (
        cell.number == row["number"]
        and all(row[name] == cell.total(name) for name in CELL_MEASURES)
        and _same_content(row["content"], cell, past)
    )


def _same_content(content: bytes, cell: Cell, past: Sequence[Any]) -> bool:
    """Tell whether facts and timelines are stored as computed, wherever days are cut off."""
    if not past and cell.encode() == content:
        return all(line.past is None for line in cell.measures.values())
    try:
        bare, parts = Cell.read(cell.key, cell.number, content), read_past(past)
        stored = bare.on(parts)
    except (ValueError, TypeError):
        return False
    return (
        stored == cell and bare.encode() == content
        and parts.keys() == {name for name, line in bare.measures.items() if line.past}
        and all(_in_order([*found, bare.measures[name]]) for name, found in parts.items())
        and all(row["last_day"] == part.last_day and row["content"] == canonical(
            [part.days, part.sums]) for row, part in _pairs(past, parts))
    )  # fmt: skip


def _in_order(parts: Sequence[Timeline]) -> bool:
    """Tell whether parts follow each other without a day twice, and none is empty."""
    days = [day for part in parts for day in part.days]
    return all(part.days for part in parts) and all(a < b for a, b in pairwise(days))


def _pairs(
    past: Sequence[Any], parts: Mapping[str, Sequence[Timeline]]
) -> Iterator[tuple[Any, Timeline]]:
    """Yield each stored part of a past beside what was read of it."""
    return zip(past, (part for found in parts.values() for part in found), strict=True)


def _wrong_guards(row: Any, asked: tuple[int, int] | None) -> str:
    """Say what is wrong with the CHECKs of a stored cell, nothing where all is well."""
    if asked in (None, (row["guards"], row["tolerance"])):
        return ""
    return (f"the cell {row['kind']} {row['key']} has the CHECKs {row['guards']} with tolerance "
            f"{row['tolerance']}, by its rules {asked[0]} with {asked[1]}")  # fmt: skip
