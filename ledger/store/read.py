"""Reading the log: heads, cells, stored answers, feeds. Never writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from ledger.cells import BUDGET, BudgetState, Cell, Key
from ledger.events import RULEBOOK, Event, decode, log_id
from ledger.rules import Rules
from ledger.store.pool import transaction
from ledger.store.sql import sql


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
    """Load the cells of budgets as of their heads, in one reading transaction a call.

    The heads are read again beside the cells, so that position and cells belong together.
    """
    wanted = list(heads)
    states: dict[str, BudgetState] = {}
    async with transaction(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
        fresh = await find_heads(connection, [head.code for head in wanted])
        by_log = {head.log: head for head in fresh.values()}
        for head in fresh.values():
            states[head.code] = new_state(head)
        for region in sorted({head.region for head in fresh.values()}):
            logs = [head.log for head in fresh.values() if head.region == region]
            for row in await connection.fetch(sql("queries/load_cells"), region, logs):
                cell = read_cell(row)
                states[by_log[row["log"]].code].cells[cell.key] = cell
    return states


async def load_states_locked(connection: Any, heads: Iterable[Head]) -> dict[str, BudgetState]:
    """Load the cells of budgets whose heads this transaction holds locked."""
    wanted = {head.log: head for head in heads}
    states = {head.code: new_state(head) for head in wanted.values()}
    for region in sorted({head.region for head in wanted.values()}):
        logs = [head.log for head in wanted.values() if head.region == region]
        for row in await connection.fetch(sql("queries/load_cells"), region, logs):
            cell = read_cell(row)
            states[wanted[row["log"]].code].cells[cell.key] = cell
    return states


def new_state(head: Head) -> BudgetState:
    """Return an empty state standing at a head."""
    state = BudgetState(head.code, head.region, head.log)
    state.position, state.head, state.recorded_at = head.position, head.hash, head.recorded_at
    return state


def read_cell(row: Mapping[str, Any]) -> Cell:
    """Read a stored cell; a line's key is its path."""
    ident = tuple(orjson.loads(row["key"])) if row["kind"] == "line" else row["key"]
    return Cell.read((row["kind"], ident), row["number"], row["content"])


async def load_keys(
    connection: Any, region: int, wanted: Mapping[tuple[int, Key], BudgetState]
) -> None:
    """Load contracts of one region, by log and key, or remember that they do not exist."""
    logs = [log for log, _ in wanted]
    kinds = [key[0] for _, key in wanted]
    names = [key[1] for _, key in wanted]
    rows = await connection.fetch(sql("queries/load_keys"), region, logs, kinds, names)
    for (_, key), state in wanted.items():
        state.cells[key] = None
    for row in rows:
        cell = read_cell(row)
        wanted[row["log"], cell.key].cells[cell.key] = cell


async def load_key(connection: Any, state: BudgetState, key: Key) -> None:
    """Load one contract or payment into a state, or remember that it does not exist."""
    rows = await connection.fetch(
        sql("queries/load_keys"), state.region, [state.log], [key[0]], [key[1]]
    )
    state.cells[key] = read_cell(rows[0]) if rows else None
    if rows or key[0] != "payment":
        return
    row = await connection.fetchrow(
        sql("queries/find_payment"), state.region, UUID(key[1]), state.log
    )
    if row is not None:
        state.cells[key] = payment_cell(decode(row["body"], state.code, row["position"]), key)


def payment_cell(paid: Event, key: Key) -> Cell:
    """Return the cell of a payment that nothing has come back of yet."""
    movement = paid.movement()
    facts = dict(paid.facts())[key]
    day = movement.counts_from.toordinal()
    return Cell(key=key).know(facts).add("executed", day, movement.amounts["executed"])


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
