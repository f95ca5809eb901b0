"""How events become rows of the trail: bodies are read once, figures are carried along.

A command's actor, act and reason stand in its first event; the events that follow, on the other
side of a transfer too, are told the same.
"""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from ledger.events import MEASURES, typed_state
from projections.registry import Projection, Span, sql

NAME = "audit_trail"
HANDLED = frozenset({
    "ledger.command.refused", "ledger.annex.erased",
    "budget.opened", "budget.approved", "budget.amended",
    "budget.adjusted", "budget.line.approved", "budget.line.amended", "budget.line.adjusted",
    "budget.sequestration.ordered", "budget.sequestration.applied", "budget.plan.set",
    "budget.plan.changed", "budget.plan.month.changed", "budget.commitment.registered",
    "budget.commitment.changed", "budget.commitment.cancelled", "budget.payment.executed",
    "budget.payment.rejected", "budget.payment.returned", "budget.cash_expenditure.recovered",
    "budget.receipt.credited", "budget.receipt.refunded", "budget.exempt_list.set",
    "budget.exempt_name.resolved", "budget.transfer.set", "budget.transfer.sent",
    "budget.transfer.received", "budget.special_account.opened",
    "budget.special_account.credited", "budget.special_account.debited",
    "budget.special_account.closed", "rulebook.jurisdiction.adopted",
    "rulebook.classifier.published",
})  # fmt: skip
"""Everything: nothing happens in the ledger without a trace here."""
COLUMNS = (
    "region", "log", "sequence", "position", "budget", "kind", "recorded_at", "actor",
    "capacity", "act", "act_article", "act_date", "reason", "source", "line", "contract",
    "account", "effective_from", "adopted_on", "month", "changes", "refused", "flags",
    "command_id",
)  # fmt: skip
OF_LINE = tuple(measure for measure in MEASURES if measure != "cash")
SLICE_EVENTS = 200
"""Events folded before other work of the process gets its turn (some 5 ms)."""

Subject = tuple[int, int, str, str]
"""Whose figures: (region, log, "line" | "contract" | "account" | "cash", key)."""


async def apply(connection: Any, span: Span) -> None:
    """Write the rows of a span and carry the totals on."""
    rows = await connection.fetch(sql(NAME, "events"), *span.arguments())
    if not rows:
        return
    totals = await load_totals(connection, {s for row in rows for s, _ in subjects(row)})
    changed: dict[tuple[Subject, str], int] = {}
    headers: dict[UUID, dict[str, Any]] = {}
    records = []
    for start in range(0, len(rows), SLICE_EVENTS):
        for row in rows[start : start + SLICE_EVENTS]:
            _, state = typed_state(row["body"])
            asked = state.get("command") or headers.get(row["command_id"])
            if asked is None:
                asked = await header(connection, row)
            headers[row["command_id"]] = asked
            records.append(record(row, state, asked, carry(row, totals, changed)))
        await asyncio.sleep(0)
    await connection.copy_records_to_table("rows", records=records, columns=COLUMNS)
    if changed:
        await connection.execute(sql(NAME, "save_totals"), *zip(
            *((*subject, measure, minor) for (subject, measure), minor in changed.items()),
            strict=True))  # fmt: skip


def subjects(row: Any) -> list[tuple[Subject, tuple[str, ...]]]:
    """Return whose figures an event changes, and which of them."""
    place = (row["region"], row["log"])
    found: list[tuple[Subject, tuple[str, ...]]] = []
    if row["line"] is not None:
        found.append(((*place, "line", str(row["line"])), OF_LINE))
    if row["contract"] is not None:
        found.append(((*place, "contract", row["contract"]), ("accepted", "executed")))
    if row["account"] is not None:
        found.append(((*place, "account", row["account"]), ("cash",)))
    elif row["cash"] is not None:
        found.append(((*place, "cash", ""), ("cash",)))
    return found


def carry(
    row: Any, totals: dict[tuple[Subject, str], int], changed: dict[tuple[Subject, str], int]
) -> dict[str, dict[str, list[int]]]:
    """Return {subject: {measure: [before, after]}} of one event and carry the totals on."""
    changes: dict[str, dict[str, list[int]]] = {}
    for subject, measures in subjects(row):
        for measure in measures:
            amount = row[measure]
            if amount is None:
                continue
            key = (subject, measure)
            before = totals.get(key, 0)
            totals[key] = changed[key] = before + amount
            changes.setdefault(subject[2], {})[measure] = [before, before + amount]
    return changes


async def load_totals(connection: Any, wanted: set[Subject]) -> dict[tuple[Subject, str], int]:
    """Return the totals, in minor units, of the subjects that have any."""
    if not wanted:
        return {}
    rows = await connection.fetch(sql(NAME, "load_totals"), *zip(*wanted, strict=True))
    return {((r["region"], r["log"], r["subject"], r["key"]), r["measure"]): r["minor"]
            for r in rows}  # fmt: skip


async def header(connection: Any, row: Any) -> dict[str, Any]:
    """Return the stored command behind an event whose first event lies in another span."""
    places = [(row["region"], row["log"]), (row["peer_region"], row["peer_log"])]
    for region, log in places:
        body = region is not None and await connection.fetchval(
            sql(NAME, "header"), region, row["command_id"], log
        )
        if body:
            _, state = typed_state(body)
            if "command" in state:
                found: dict[str, Any] = state["command"]
                return found
    return {}


def record(
    row: Any, state: dict[str, Any], asked: dict[str, Any], changes: dict[str, Any]
) -> tuple[Any, ...]:
    """Return one row in the order of the columns."""
    actor, act = asked.get("actor", {}), asked.get("act", {})
    refused = state["refusal"]["code"] if "refusal" in state else None
    line, contract, account = row["path"], row["contract"], row["account"]
    if line is None:
        line = state.get("line") or (state.get("command") or {}).get("line")
    if refused:
        contract, account = asked.get("contract"), asked.get("account")
    day = act.get("date")
    return (
        row["region"], row["log"], row["sequence"], row["position"], row["code"], row["kind"],
        row["recorded_at"], actor.get("id"), actor.get("capacity"), act.get("id"),
        act.get("article"), date.fromisoformat(day) if day else None, asked.get("reason"),
        asked.get("source", {}).get("name"), line, contract, account, row["effective_from"],
        row["adopted_on"], row["month"], orjson.dumps(changes).decode(), refused,
        state.get("flags", []), row["command_id"],
    )  # fmt: skip


PROJECTION = Projection(
    name=NAME, handled=HANDLED, ignored=frozenset(), tables=("rows", "totals"), apply=apply
)
