"""Statements of treasury special accounts: money outside the budget's totals.

Law: S2 L804-806 (A147), K25 106; I22; query Q12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from ledger.errors import NotFound
from ledger.events import typed_state
from ledger.store.read import find_heads
from projections.registry import sql


@dataclass(frozen=True, kw_only=True)
class AccountMovement:
    """One movement, minor units: credits positive, debits negative, and the balance after it."""

    sequence: int
    position: int
    kind: str
    value_date: date
    recorded_at: int
    amount_minor: int
    balance_minor: int
    command_id: UUID


@dataclass(frozen=True, kw_only=True)
class AccountStatement:
    """An account with its movements and the sequence for which the statement is true."""

    budget: str
    account: str
    purpose: str
    owner: str
    status: str
    sequence: int
    balance_minor: int
    movements: list[AccountMovement]


async def account_statement(connection: Any, budget: str, account: str) -> AccountStatement:
    """Return the statement of a special account. Raises `NotFound`."""
    heads = await find_heads(connection, [budget])
    if budget not in heads:
        raise NotFound("unknown-budget", f"no budget {budget} is open", budget=budget)
    head = heads[budget]
    rows = await connection.fetch(
        sql("special_accounts", "account"), head.region, head.log, account, head.year
    )
    if not rows or rows[0]["sequence"] is None:
        raise NotFound("unknown-account", f"{budget} has no special account {account}",
                       budget=budget, account=account)  # fmt: skip
    opened = typed_state(rows[0]["body"])[1]["command"]
    names = AccountMovement.__dataclass_fields__
    movements = [AccountMovement(**{name: row[name] for name in names}) for row in rows]
    return compose(budget, account, rows[0]["applied"], opened, movements)


def compose(
    budget: str, account: str, sequence: int, opened: Mapping[str, Any],
    movements: list[AccountMovement],
) -> AccountStatement:  # fmt: skip
    """Return the statement of an account's movements and the command that opened it; pure."""
    closed = movements[-1].kind == "budget.special_account.closed"
    return AccountStatement(
        budget=budget, account=account, purpose=opened["purpose"], owner=opened["owner"],
        status="closed" if closed else "open", sequence=sequence,
        balance_minor=movements[-1].balance_minor, movements=movements,
    )  # fmt: skip
