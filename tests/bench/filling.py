"""Large ledgers in seconds: what the appender wrote is copied to new places, and chained anew.

Posting a million events takes minutes, so a few hundred or thousand are posted through the
appender and copied with COPY: each copy gets new command ids (and times and contract names where
it stays in its log), also inside its body, and the chain's hashes are computed by `ledger.events.
link`. Heads, lines and cells move along; the sequencer numbers the copies itself. A copied ledger
is as consistent as a posted one: the benches have `check` judge the small ones they make this way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from ledger.cells import Cell
from ledger.events import link, log_id
from tests.bench.country import command_id

TABLES = ("heads", "lines", "cells")
KEPT = ("key", "number", "guards", "tolerance", "content", "kind", "region", "log")
"""Columns of a cell that are no sums."""


async def _copy(connection: Any, table: str, columns: Sequence[str], rows: Iterable) -> None:
    """Write rows with COPY."""
    await connection.copy_records_to_table(
        table, schema_name="ledger", columns=list(columns), records=rows
    )


def _renamed(body: bytes, old: UUID, new: str) -> bytes:
    """Put another command id into a body, and into the contract that is named after it."""
    name = str(old)
    return body.replace(name.encode(), new.encode()).replace(
        b"N-" + name[-12:].encode(), b"N-" + new[-12:].encode()
    )


async def clone(connection: Any, template: str, codes: Sequence[str]) -> int:
    """Give new budgets of the template's region its whole history; return the events written."""
    [region, log] = await connection.fetchrow(
        "SELECT region, log FROM ledger.heads WHERE code = $1", template
    )
    events = await connection.fetch(
        "SELECT * FROM ledger.events WHERE region = $1 AND log = $2 ORDER BY position", region, log
    )
    heads: dict[str, bytes] = {}
    await _copy(connection, "events", events[0].keys(), _clones(events, codes, heads))
    for table in TABLES:
        rows = await connection.fetch(
            f"SELECT * FROM ledger.{table} WHERE region = $1 AND log = $2", region, log
        )
        changed = (
            {**row, "log": log_id(code)}
            | ({"code": code, "hash": heads[code]} if table == "heads" else {})
            for code in codes for row in rows
        )  # fmt: skip
        await _copy(connection, table, rows[0].keys(), (tuple(row.values()) for row in changed))
    return len(events) * len(codes)


def _clones(
    events: Sequence[Any], codes: Sequence[str], heads: dict[str, bytes]
) -> Iterator[tuple]:
    """Yield the events of every new log; leave each log's last hash in `heads`."""
    place = {name: n for n, name in enumerate(events[0].keys())}
    rows = [tuple(event) for event in events]
    for code in codes:
        log, previous = log_id(code), b""
        ids: dict[UUID, str] = {}
        for row in rows:
            old = row[place["command_id"]]
            new = ids.get(old) or ids.setdefault(old, command_id())
            body = _renamed(row[place["body"]], old, new)
            previous = link(previous, log, row[place["position"]], body)
            fresh = list(row)
            fresh[place["log"]], fresh[place["command_id"]] = log, UUID(new)
            fresh[place["hash"]], fresh[place["body"]] = previous, body
            yield tuple(fresh)
        heads[code] = previous


class Lengthening:
    """Repeats the newest part of one log, as often as told, at the log's end."""

    def __init__(self, connection: Any, code: str) -> None:
        """Name the log; what is posted between `begin` and `repeat` is what will be repeated."""
        self._connection, self._code, self._log = connection, code, log_id(code)
        self._since = 0
        self._before: dict[tuple[str, str], Any] = {}

    async def _head(self) -> Any:
        return await self._connection.fetchrow(
            "SELECT * FROM ledger.heads WHERE code = $1", self._code
        )

    async def _cells(self) -> dict[tuple[str, str], Any]:
        rows = await self._connection.fetch("SELECT * FROM ledger.cells WHERE log = $1", self._log)
        return {(row["kind"], row["key"]): row for row in rows}

    async def begin(self) -> None:
        """Remember where the part begins."""
        self._since = (await self._head())["position"]
        self._before = await self._cells()

    async def repeat(self, length: int) -> int:
        """Repeat the part whole until the log has about `length` events; return how many it has."""
        part = await self._connection.fetch(
            "SELECT * FROM ledger.events WHERE region = $1 AND log = $2 AND position > $3"
            " ORDER BY position", (await self._head())["region"], self._log, self._since,
        )  # fmt: skip
        times = max(0, round((length - self._since) / len(part)) - 1)
        last = dict(await self._head())
        new_contracts: list[tuple[str, str]] = []
        await _copy(self._connection, "events", part[0].keys(),
                    self._repeated(part, times, last, new_contracts))  # fmt: skip
        await self._connection.execute(
            "UPDATE ledger.heads SET position = $2, hash = $3, recorded_at = $4 WHERE code = $1",
            self._code, last["position"], last["hash"], last["recorded_at"],
        )  # fmt: skip
        await self._move_cells(times, new_contracts)
        return last["position"]

    def _repeated(
        self, part: Sequence[Any], times: int, last: dict[str, Any], new: list[tuple[str, str]]
    ) -> Iterator[tuple]:
        """Yield the copies; move `last` on and gather (old, new) names of contracts."""
        place = {name: n for n, name in enumerate(part[0].keys())}
        rows = [tuple(event) for event in part]
        for _ in range(times):
            current = None
            for row in rows:
                old = row[place["command_id"]]
                if old != current:  # the events of a command stand together, under one time
                    current, fresh_id = old, command_id()
                    last["recorded_at"] += 1
                last["position"] += 1
                then, contract = row[place["recorded_at"]], row[place["contract"]]
                body = _renamed(row[place["body"]], old, fresh_id).replace(
                    b'"recorded_at":%d' % then, b'"recorded_at":%d' % last["recorded_at"]
                )
                last["hash"] = link(last["hash"], self._log, last["position"], body)
                fresh = list(row)
                fresh[place["position"]] = last["position"]
                fresh[place["command_id"]] = UUID(fresh_id)
                fresh[place["recorded_at"]] = last["recorded_at"]
                if contract == f"N-{str(old)[-12:]}":
                    fresh[place["contract"]] = f"N-{fresh_id[-12:]}"
                    new.append((contract, fresh[place["contract"]]))
                fresh[place["hash"]], fresh[place["body"]] = last["hash"], body
                yield tuple(fresh)

    async def _move_cells(self, times: int, new_contracts: Sequence[tuple[str, str]]) -> None:
        """Add what the copies moved: contracts of their own, and the sums of all other cells."""
        after = await self._cells()
        columns = list(next(iter(after.values())).keys())
        rows = ({**after["contract", old], "key": new} for old, new in new_contracts)
        await _copy(self._connection, "cells", columns, (tuple(row.values()) for row in rows))
        for place, was in self._before.items():
            if after[place] == was:
                continue
            moved = _moved(was, after[place], times)
            sums = ", ".join(f"{name} = ${n}" for n, name in enumerate(moved, 3))
            await self._connection.execute(
                f"UPDATE ledger.cells SET {sums} WHERE log = {self._log}"
                " AND kind = $1 AND key = $2", *place, *moved.values(),
            )  # fmt: skip


def _moved(was: Mapping[str, Any], now: Mapping[str, Any], times: int) -> dict[str, Any]:
    """Return a cell's columns after the step from `was` to `now` was taken so many times more."""
    sums = {name: now[name] + times * (now[name] - was[name])
            for name in dict(now) if name not in KEPT}  # fmt: skip
    old, new = (Cell.read((row["kind"], row["key"]), row["number"], row["content"])
                for row in (was, now))  # fmt: skip
    cell = new
    for measure, line in new.measures.items():
        before, done = old.timeline(measure), 0
        for day, total in zip(*line.whole(), strict=True):
            step = total - before.at(day)
            if step != done:
                cell = cell.add(measure, day, times * (step - done))
            done = step
    return {**sums, "content": cell.encode()}
