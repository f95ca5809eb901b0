"""Reading the log: heads, cells, stored answers, feeds. Never writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from ledger.cells import BUDGET, BudgetState, Cell, Key, Paid
from ledger.events import RULEBOOK, Event, canonical, decode, log_id
from ledger.rules import Rules
from ledger.store.sql import sql
from ledger.timelines import Timeline


@dataclass(frozen=True, kw_only=True)
class Head:
    """A log's place: region, log number, fiscal year, last position, chain hash and time."""

    region: int
    log: int
    code: str
    year: int
    position: int
    hash: bytes
    recorded_at: int


@dataclass(frozen=True, kw_only=True)
class FeedEvent:
    """One sequenced event as it is stored: the exact body, its hash and its places."""

    sequence: int
    budget: str
    position: int
    kind: str
    command_id: UUID
    recorded_at: int
    hash: bytes
    body: bytes

    def event(self) -> Event:
        """Read the body as a typed event of the newest version."""
        return decode(self.body, self.budget, self.position)


async def find_heads(connection: Any, codes: Iterable[str]) -> dict[str, Head]:
    """Return the heads of the budgets that exist."""
    rows = await connection.fetch(sql("queries/find_heads"), list(codes))
    return {row["code"]: Head(**dict(row)) for row in rows}


async def lock_heads(connection: Any, wanted: Iterable[tuple[int, int]]) -> list[Head]:
    """Lock heads in (region, log) order inside a transaction and return them."""
    by_region: dict[int, list[int]] = {}
    for region, log in sorted(wanted):
        by_region.setdefault(region, []).append(log)
    found = []
    for region, logs in by_region.items():
        rows = await connection.fetch(sql("queries/lock_heads"), region, logs)
        found += [Head(**dict(row)) for row in rows]
    return found


async def load_states(connection: Any, heads: Iterable[Head]) -> dict[str, BudgetState]:
    """Load the cells that every decision may need, with the heads that they belong to.

    One statement, so one snapshot; all regions at once: a round trip costs more than the rows.
    """
    wanted = list(heads)
    regions, logs = [head.region for head in wanted], [head.log for head in wanted]
    states: dict[str, BudgetState] = {}
    for row in await connection.fetch(sql("queries/load_states"), regions, logs):
        state = states.get(row["code"])
        if state is None:
            head = Head(**{name: row[name] for name in Head.__dataclass_fields__})
            state = states[head.code] = new_state(head, whole=False)
        if row["kind"] is not None:
            cell = read_cell(row, state.code)
            state.cells[cell.key] = cell
    return states


async def load_lines(connection: Any, states: Iterable[BudgetState]) -> None:
    """Load all lines of budgets; those that are remembered stay, they may be newer."""
    by_log = {state.log: state for state in states}
    for region in sorted({state.region for state in by_log.values()}):
        logs = [log for log, state in by_log.items() if state.region == region]
        for row in await connection.fetch(sql("queries/load_lines"), region, logs):
            state = by_log[row["log"]]
            cell = read_cell(row, state.code)
            if state.cells.get(cell.key) is None:
                state.cells[cell.key] = cell
    for state in by_log.values():
        state.whole = True


def new_state(head: Head, *, whole: bool = True) -> BudgetState:
    """Return an empty state standing at a head; `whole` says that no line has to be loaded."""
    state = BudgetState(head.code, head.region, head.log)
    state.whole = whole
    state.position, state.head, state.recorded_at = head.position, head.hash, head.recorded_at
    return state


def read_cell(row: Mapping[str, Any], code: str) -> Cell:
    """Read a stored cell of a budget; a line's key is its path."""
    ident = tuple(orjson.loads(row["key"])) if row["kind"] == "line" else row["key"]
    return Cell.read((row["kind"], ident), row["number"], row["content"], code)


async def load_keys(connection: Any, wanted: Mapping[tuple[int, Key], BudgetState]) -> None:
    """Load cells by log and key, or remember that they do not exist."""
    regions = [state.region for state in wanted.values()]
    logs = [log for log, _ in wanted]
    kinds = [key[0] for _, key in wanted]
    names = [_name(key) for _, key in wanted]
    rows = await connection.fetch(sql("queries/load_keys"), regions, logs, kinds, names)
    by_log = {log: state for (log, _), state in wanted.items()}
    for (_, key), state in wanted.items():
        state.cells[key] = None
    for row in rows:
        state = by_log[row["log"]]
        cell = read_cell(row, state.code)
        state.cells[cell.key] = cell


def _name(key: Key) -> str:
    """Return the stored key of a cell; a line's path as JSON."""
    return canonical(list(key[1])).decode() if key[0] == "line" else str(key[1])


async def load_past(connection: Any, state: BudgetState, keys: Iterable[Key]) -> list[Key]:
    """Load the older days of cells; return the cells that have any.

    Those that are not stored yet stay as they are.
    """
    found = {(key[0], _name(key)): cell for key in keys
             if (cell := state.cells.get(key)) is not None and cell.has_past}  # fmt: skip
    rows: dict[tuple[str, str], list[Any]] = {place: [] for place in found}
    kinds, names = [kind for kind, _ in found], [name for _, name in found]
    for row in await connection.fetch(
        sql("queries/load_past"), state.region, state.log, kinds, names
    ):
        rows[row["kind"], row["key"]].append(row)
    for place, cell in found.items():
        state.cells[cell.key] = cell.on(read_past(rows[place]))
    return [cell.key for cell in found.values()]


def read_past(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Timeline]]:
    """Read the stored parts of a cell's past, by measure and in order."""
    found: dict[str, list[Timeline]] = {}
    for row in rows:
        days, sums = orjson.loads(row["content"])
        found.setdefault(row["measure"], []).append(Timeline(tuple(days), tuple(sums)))
    return found


async def load_key(connection: Any, state: BudgetState, key: Key) -> None:
    """Load one line, contract or payment into a state, or remember that it does not exist."""
    await load_keys(connection, {(state.log, key): state})
    if key[0] != "payment" or state.cells[key] is not None:
        return
    row = await connection.fetchrow(
        sql("queries/find_payment"), state.region, UUID(key[1]), state.log
    )
    if row is not None:
        fact = decode(row["body"], state.code, row["position"])
        state.cells[key] = Paid.by(fact.movement(), key[1], dict(fact.facts())[key]).cell()


async def read_log(
    connection: Any, head: Head, after: int = 0, chunk: int = 5000
) -> AsyncIterator[tuple[int, bytes, bytes]]:
    """Yield (position, hash, body) of a log up to its head."""
    while after < head.position:
        limit = min(chunk, head.position - after)
        rows = await connection.fetch(
            sql("queries/read_log"), head.region, head.log, head.year, after, limit
        )
        if not rows:
            return
        for row in rows:
            yield row["position"], row["hash"], row["body"]
        after = rows[-1]["position"]


async def load_rules(connection: Any, known: Rules | None = None) -> Rules:
    """Fold the rulebook log, from a known position on."""
    rules = known or Rules()
    heads = await find_heads(connection, [RULEBOOK])
    if RULEBOOK in heads:
        async for position, _, body in read_log(connection, heads[RULEBOOK], rules.position):
            rules = fold_rule(rules, decode(body, RULEBOOK, position))
    return rules


def fold_rule(rules: Rules, fact: Event) -> Rules:
    """Return the rules after one event of the rulebook."""
    amend = getattr(fact, "amend_rules", None)
    amended: Rules = amend(rules) if amend else rules
    return amended.at(fact.originator_version)


async def read_feed(
    connection: Any, after: int, limit: int, budget: str | None = None
) -> list[FeedEvent]:
    """Return sequenced events after a sequence, of the ledger or of one budget."""
    if budget is None:
        rows = await connection.fetch(sql("queries/read_feed"), after, limit)
    else:
        rows = await connection.fetch(sql("queries/read_budget_feed"), after, limit, budget)
    return [
        FeedEvent(sequence=row["sequence"], budget=row["code"], position=row["position"],
                  kind=row["kind"], command_id=row["command_id"],
                  recorded_at=row["recorded_at"], hash=row["hash"], body=row["body"])
        for row in rows
    ]  # fmt: skip


async def list_budgets(connection: Any, after: str, limit: int) -> list[dict[str, Any]]:
    """Return budgets after a code, with the facts of each and its place."""
    return [_budget(row) for row in await connection.fetch(sql("queries/budgets"), after, limit)]


async def find_budget(connection: Any, code: str) -> dict[str, Any] | None:
    """Return one budget with its facts and its place, or None."""
    row = await connection.fetchrow(sql("queries/budget"), code)
    return _budget(row) if row else None


def _budget(row: Mapping[str, Any]) -> dict[str, Any]:
    """Read a head beside the cell of its budget."""
    facts = dict(Cell.read(BUDGET, 0, row["content"]).facts) if row["content"] else {}
    return {
        **facts,
        "code": row["code"],
        "position": row["position"],
        "hash": row["hash"],
        "region": row["region"],
    }


def rulebook_head() -> Head:
    """Return the head of a rulebook that does not exist yet."""
    return Head(
        region=0, log=log_id(RULEBOOK), code=RULEBOOK, year=0, position=0, hash=b"", recorded_at=0
    )
