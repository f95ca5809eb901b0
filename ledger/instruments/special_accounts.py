"""Treasury special accounts (арнайы шот, КСН): money outside the budget's totals.

Law: S2 L804-806 (A147), K25 106; I22: balance never negative, own purpose only, not in totals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from ledger.cells import Cell, Key
from ledger.errors import Refuse
from ledger.events import Command, Event, Movement, command, event
from ledger.terms import Amount, Day, Name, Party, Text

STAGES = ("opened", "approved")
LAW = "K25 106"


def opened(case: Any, account: str) -> Cell:
    """Return the cell of an account that is open on the command's day.

    Refuses `unknown-account`, `account-closed`, `dates-out-of-order`.
    """
    cell: Cell | None = case.own.get(("account", account))
    if cell is None:
        raise Refuse(
            "unknown-account",
            f"no special account {account} is open",
            rule="I22",
            law=LAW,
            account=account,
        )
    if cell.facts["status"] != "open":
        raise Refuse(
            "account-closed",
            f"the special account {account} is closed",
            rule="I22",
            law=LAW,
            account=account,
        )
    since = date.fromisoformat(cell.facts["since"])
    case.require(
        since <= case.command.effective,
        "dates-out-of-order",
        f"the account {account} is open from {since} on",
        rule="I22",
        law=LAW,
        account=account,
        open_from=since,
    )
    return cell


@command("OpenSpecialAccount", action="open-special-account")
@dataclass(frozen=True, kw_only=True)
class OpenSpecialAccount(Command):
    """Open an account for one purpose of one owner."""

    stages = STAGES
    not_ahead = True
    account: Name
    purpose: Name
    owner: Party
    effective_from: Day

    def decide(self, case: Any) -> Iterator[Event]:
        """Open an account of a new number."""
        case.require(
            case.own.get(("account", self.account)) is None,
            "account-exists",
            f"the special account {self.account} exists",
            rule="I28",
            account=self.account,
        )
        yield case.emit(SpecialAccountOpened)


@event(
    "budget.special_account.opened",
    example={
        "command": {
            "name": "OpenSpecialAccount",
            "account": "KSN-7",
            "purpose": "greening",
            "owner": "akim-7",
            "effective_from": "2025-02-01",
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class SpecialAccountOpened(Event):
    """A special account was opened."""

    command: OpenSpecialAccount

    def movement(self) -> Movement:
        """Change no amounts."""
        asked = self.command
        return Movement(
            effective_from=asked.effective_from, adopted_on=asked.adopted, account=asked.account
        )

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Remember purpose and owner."""
        asked = self.command
        yield (
            ("account", asked.account),
            {
                "status": "open",
                "purpose": asked.purpose,
                "owner": asked.owner,
                "since": asked.effective_from.isoformat(),
            },
        )


@command("CreditSpecialAccount", action="receive")
@dataclass(frozen=True, kw_only=True)
class CreditSpecialAccount(Command):
    """Credit money to a special account."""

    stages = STAGES
    account: Name
    amount_minor: Amount
    value_date: Day
    payer: Party | None = None

    def decide(self, case: Any) -> Iterator[Event]:
        """Credit an open account."""
        opened(case, self.account)
        yield case.emit(SpecialAccountCredited)


@event(
    "budget.special_account.credited",
    example={
        "command": {
            "name": "CreditSpecialAccount",
            "account": "KSN-7",
            "amount_minor": 500,
            "value_date": "2025-02-03",
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class SpecialAccountCredited(Event):
    """Money came to a special account."""

    command: CreditSpecialAccount

    def movement(self) -> Movement:
        """Add to the account, outside the budget's cash."""
        asked = self.command
        return Movement(
            effective_from=asked.value_date,
            adopted_on=asked.adopted,
            account=asked.account,
            amounts={"cash": asked.amount_minor},
        )


@command("DebitSpecialAccount", action="pay")
@dataclass(frozen=True, kw_only=True)
class DebitSpecialAccount(Command):
    """Spend from a special account for its own purpose."""

    stages = STAGES
    account: Name
    amount_minor: Amount
    purpose: Text
    value_date: Day
    payee: Party | None = None

    def decide(self, case: Any) -> Iterator[Event]:
        """Debit an open account for its purpose; its balance is checked as a limit."""
        cell = opened(case, self.account)
        own = cell.facts["purpose"]
        case.require(
            self.purpose == own,
            "wrong-purpose",
            f"the account {self.account} serves {own}, not {self.purpose}",
            rule="I22",
            law=LAW,
            account=self.account,
            purpose=self.purpose,
        )
        yield case.emit(SpecialAccountDebited)


@event(
    "budget.special_account.debited",
    example={
        "command": {
            "name": "DebitSpecialAccount",
            "account": "KSN-7",
            "amount_minor": 200,
            "purpose": "greening",
            "value_date": "2025-02-20",
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class SpecialAccountDebited(Event):
    """Money was spent from a special account."""

    command: DebitSpecialAccount

    def movement(self) -> Movement:
        """Take from the account."""
        asked = self.command
        return Movement(
            effective_from=asked.value_date,
            adopted_on=asked.adopted,
            account=asked.account,
            amounts={"cash": -asked.amount_minor},
        )


@command("CloseSpecialAccount", action="open-special-account")
@dataclass(frozen=True, kw_only=True)
class CloseSpecialAccount(Command):
    """Close an empty account."""

    stages = STAGES
    not_ahead = True
    account: Name
    effective_from: Day

    def decide(self, case: Any) -> Iterator[Event]:
        """Close an open account whose balance is zero."""
        cell = opened(case, self.account)
        balance = cell.total("cash")
        case.require(
            balance == 0,
            "account-not-empty",
            f"the account {self.account} still holds money",
            rule="I22",
            law=LAW,
            account=self.account,
            balance_minor=balance,
        )
        last = cell.timeline("cash").last_day
        case.require(
            self.effective_from.toordinal() >= last,
            "dates-out-of-order",
            f"money moved on {self.account} after {self.effective_from}",
            rule="I22",
            law=LAW,
            account=self.account,
        )
        yield case.emit(SpecialAccountClosed)


@event(
    "budget.special_account.closed",
    example={
        "command": {
            "name": "CloseSpecialAccount",
            "account": "KSN-7",
            "effective_from": "2025-12-01",
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class SpecialAccountClosed(Event):
    """A special account was closed."""

    command: CloseSpecialAccount

    def movement(self) -> Movement:
        """Change no amounts."""
        asked = self.command
        return Movement(
            effective_from=asked.effective_from, adopted_on=asked.adopted, account=asked.account
        )

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Close the account."""
        yield ("account", self.command.account), {"status": "closed"}
