"""Reports as JSON types: what routes serve, and what verifiers make again byte for byte.

Amounts are decimal strings; nothing here knows HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from ledger.dates import to_iso
from ledger.money import to_text
from projections.audit_trail import AuditRow
from projections.budget_execution import BudgetLine, ExemptReport, Warned
from projections.budget_execution.figures import FIGURES, BalanceRow, ExecutionReport, ExecutionRow
from projections.special_accounts import AccountMovement, AccountStatement
from projections.transfers import Pair, Pairing, Said, Side

PARTS = ("approved", "amended", "adjusted", "executed")
"""Amounts of a part of the balance."""


def execution(found: ExecutionReport) -> dict[str, Any]:
    """Return the report as JSON types, amounts as decimal strings."""
    return {
        "budget": found.budget, "currency": found.currency,
        "effective": found.effective.isoformat(),
        "adopted": found.adopted.isoformat() if found.adopted else None,
        "known": found.known, "sequence": found.sequence, "warnings": found.warnings,
        "rows": [_execution_row(row, found.digits) for row in found.rows],
        "totals": [_execution_row(row, found.digits) for row in found.totals],
        "identity": [_balance(row, found.digits) for row in found.identity],
    }  # fmt: skip


def _execution_row(row: ExecutionRow, digits: int) -> dict[str, Any]:
    """Return one row."""
    amounts = {name: to_text(getattr(row, name), digits) for name in FIGURES}
    return {"line": list(row.line), "title": row.title, **amounts,
            "percent_of_plan": row.percent_of_plan,
            "percent_of_budget": row.percent_of_budget}  # fmt: skip


def _balance(row: BalanceRow, digits: int) -> dict[str, Any]:
    """Return one part of the balance."""
    return {"part": row.part, **{name: to_text(getattr(row, name), digits) for name in PARTS}}


def transfers(
    found: Pairing, adopted: date | None, known: int | None, digits: int
) -> dict[str, Any]:
    """Return the pairing report as JSON types."""
    return {
        "budget": found.budget, "sequence": found.sequence, "known": known,
        "adopted": adopted.isoformat() if adopted else None,
        "pairs": [_pair(pair, digits) for pair in found.pairs],
    }  # fmt: skip


def _pair(pair: Pair, digits: int) -> dict[str, Any]:
    """Return one kind of transfer between two budgets."""
    difference = pair.difference_minor
    return {
        "transfer": pair.transfer, "payer": pair.payer, "receiver": pair.receiver,
        "payer_says": _side(pair.payer_says, digits),
        "receiver_says": _side(pair.receiver_says, digits),
        "difference": None if difference is None else to_text(difference, digits),
        "sent": to_text(pair.sent_minor, digits), "received": to_text(pair.received_minor, digits),
    }  # fmt: skip


def _side(side: Side | None, digits: int) -> dict[str, Any] | None:
    """Return what one side's acts say, or None where they say nothing."""
    if side is None:
        return None
    return {"amount": to_text(side.amount_minor, digits),
            "said": [_said(said, digits) for said in side.said]}  # fmt: skip


def _said(said: Said, digits: int) -> dict[str, Any]:
    """Return what one act says."""
    return {
        "amount": to_text(said.amount_minor, digits), "purpose": said.purpose, "act": said.act,
        "adopted_on": said.adopted_on.isoformat(),
        "effective_from": said.effective_from.isoformat(), "sequence": said.sequence,
    }  # fmt: skip


def account(found: AccountStatement, digits: int) -> dict[str, Any]:
    """Return a statement as JSON types."""
    return {
        "budget": found.budget, "account": found.account, "purpose": found.purpose,
        "owner": found.owner, "status": found.status, "sequence": found.sequence,
        "balance": to_text(found.balance_minor, digits),
        "movements": [_movement(item, digits) for item in found.movements],
    }  # fmt: skip


def _movement(item: AccountMovement, digits: int) -> dict[str, Any]:
    """Return one movement with the balance after it."""
    return {
        "sequence": item.sequence, "position": item.position, "kind": item.kind,
        "value_date": item.value_date.isoformat(), "recorded_at": to_iso(item.recorded_at),
        "amount": to_text(item.amount_minor, digits),
        "balance": to_text(item.balance_minor, digits), "command_id": str(item.command_id),
    }  # fmt: skip


def warnings(
    budget: str, sequence: int, items: Sequence[Warned], following: int | None
) -> dict[str, Any]:
    """Return a page as JSON types."""
    return {"budget": budget, "sequence": sequence, "items": [_warned(item) for item in items],
            "next": following}  # fmt: skip


def _warned(item: Warned) -> dict[str, Any]:
    """Return one flagged event as JSON types."""
    return {
        "sequence": item.sequence, "position": item.position, "kind": item.kind,
        "line": None if item.line is None else list(item.line), "contract": item.contract,
        "effective_from": item.effective_from.isoformat(),
        "adopted_on": item.adopted_on.isoformat(), "flags": list(item.flags),
    }  # fmt: skip


def exempt(found: ExemptReport, digits: int) -> dict[str, Any]:
    """Return the report as JSON types."""
    room = found.headroom_minor
    return {
        "budget": found.budget, "effective": found.on.isoformat(), "sequence": found.sequence,
        "exempt": to_text(found.exempt_minor, digits),
        "cuttable": to_text(found.cuttable_minor, digits),
        "sequestered": to_text(found.sequestered_minor, digits),
        "headroom": None if room is None else to_text(room, digits),
        "unresolved": found.unresolved,
        "lines": [
            {"line": list(line.line), "title": line.title, "exempt": line.exempt,
             "amended": to_text(line.amended_minor, digits), "entry": line.entry}
            for line in found.lines
        ],
    }  # fmt: skip


def lines(budget: str, items: Sequence[BudgetLine], following: int | None) -> dict[str, Any]:
    """Return a page as JSON types."""
    shown = [{"number": item.number, "line": list(item.line), "title": item.title}
             for item in items]  # fmt: skip
    return {"budget": budget, "items": shown, "next": following}


def trail(
    sequence: int, items: Sequence[AuditRow], following: int | None, digits: int
) -> dict[str, Any]:
    """Return a page as JSON types."""
    return {"sequence": sequence, "next": following,
            "items": [_trail_row(row, digits) for row in items]}  # fmt: skip


def _trail_row(row: AuditRow, digits: int) -> dict[str, Any]:
    """Return one row of the trail as JSON types."""
    return {
        "sequence": row.sequence, "budget": row.budget, "position": row.position,
        "kind": row.kind, "recorded_at": to_iso(row.recorded_at), "actor": row.actor,
        "capacity": row.capacity, "act": row.act, "act_article": row.act_article,
        "act_date": row.act_date.isoformat() if row.act_date else None, "reason": row.reason,
        "source": row.source, "line": None if row.line is None else list(row.line),
        "contract": row.contract, "account": row.account,
        "effective_from": row.effective_from.isoformat(),
        "adopted_on": row.adopted_on.isoformat(),
        "month": row.month.isoformat()[:7] if row.month else None,
        "changes": [
            {"subject": change.subject, "measure": change.measure,
             "before": to_text(change.before_minor, digits),
             "after": to_text(change.after_minor, digits)}
            for change in row.changes
        ],
        "refused": row.refused, "flags": list(row.flags), "command_id": str(row.command_id),
    }  # fmt: skip
