"""Inter-budget transfers: what each budget's act says, and the movement of money.

Law: K25 76-83; I19 (adjacent levels unless an exception act is cited), I21. An act's amount is
its budget's own fact: two acts may differ, the pairing report shows it, nothing is overwritten.
The movement has two sides in one transaction and cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ledger.cells import BUDGET
from ledger.errors import Refuse
from ledger.events import Command, Event, Movement, command, event
from ledger.terms import Amount, AmountOrZero, BudgetCode, Day, Path, Positive, Text

Kind = Literal["subvention", "withdrawal", "targeted"]


@command("SetTransfer", action="legislate")
@dataclass(frozen=True, kw_only=True)
class SetTransfer(Command):
    """State what this budget's act says of a transfer; a later act replaces the amount."""

    stages = ("opened", "approved")
    transfer: Kind
    peer: BudgetCode
    side: Literal["pays", "receives"]
    amount_minor: AmountOrZero
    effective_from: Day
    purpose: Text | None = None

    def decide(self, case: Any) -> Iterator[Event]:
        """State a transfer with another budget."""
        case.require(
            self.peer != self.budget, "same-budget", "a transfer needs two budgets", rule="I21"
        )
        yield case.emit(TransferSet)


@event(
    "budget.transfer.set",
    example={
        "command": {
            "name": "SetTransfer",
            "transfer": "subvention",
            "side": "pays",
            "peer": "KZ-2025-oblast-19",
            "amount_minor": 20358789100000,
            "effective_from": "2025-01-01",
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class TransferSet(Event):
    """An act set the amount of a subvention, a withdrawal or a targeted transfer."""

    command: SetTransfer


@command("SendTransfer", action="transfer")
@dataclass(frozen=True, kw_only=True)
class SendTransfer(Command):
    """Move money from this budget's line to another budget's receipts line, both or neither."""

    transfer: Kind
    to: BudgetCode
    line: Path
    to_line: Path
    amount_minor: Amount
    value_date: Day
    purpose: Text | None = None
    exception_act: Text | None = None

    def budgets(self) -> tuple[str, ...]:
        """Return both budgets."""
        return (self.budget, self.to)

    def decide(self, case: Any) -> Iterator[Event]:
        """Send between adjacent levels of one year; plan and cash are checked as limits."""
        case.require(
            self.to != self.budget, "same-budget", "a transfer needs two budgets", rule="I21"
        )
        case.line(self.line)
        to_section = case.rules.classification.check(
            self.to_line, self.value_date, case.jurisdiction
        )
        section = case.jurisdiction.section(self.line[0])
        case.require(
            section.side == "spending" and to_section.side == "receipts",
            "wrong-section",
            "a transfer goes from spending to receipts",
            rule="B8",
        )
        peer = case.overlays[self.to].get(BUDGET)
        case.require(
            peer is not None and "year" in peer.facts,
            "unknown-peer",
            f"no budget {self.to} is open",
            rule="I21",
            peer=self.to,
        )
        case.require(
            peer.facts["year"] == case.facts["year"],
            "wrong-year",
            "both budgets are of one year",
            rule="I21",
        )
        self._check_levels(case, int(peer.facts["level"]))
        yield case.emit(TransferSent, peer=self.to, peer_position=case.next_position(self.to))
        yield case.emit(
            TransferReceived, budget=self.to, peer=self.budget,
            peer_position=case.next_position(self.budget) - 1, transfer=self.transfer,
            line=self.to_line, amount_minor=self.amount_minor, value_date=self.value_date,
            adopted_on=self.adopted, purpose=self.purpose,
        )  # fmt: skip

    def _check_levels(self, case: Any, peer_level: int) -> None:
        """Refuse a transfer that skips a level, or stays on one, without an exception act."""
        if (
            case.policy("transfers-between-adjacent-levels") == "yes"
            and abs(case.level - peer_level) != 1
            and self.exception_act is None
        ):
            raise Refuse(
                "levels-not-adjacent",
                f"level {case.level} does not transfer to level "
                f"{peer_level} without an exception act",
                rule="I19",
                law="K25 76",
                level=case.level,
                peer_level=peer_level,
            )


@event(
    "budget.transfer.sent",
    example={
        "peer": "KZ-2025-oblast-19",
        "peer_position": 4,
        "command": {
            "name": "SendTransfer",
            "transfer": "subvention",
            "to": "KZ-2025-oblast-19",
            "line": ["expenditure", "15", "217", "007"],
            "to_line": ["revenue", "4", "02", "1"],
            "amount_minor": 1000,
            "value_date": "2025-02-01",
        },
    },
)
@dataclass(frozen=True, kw_only=True)
class TransferSent(Event):
    """The paying side of a transfer."""

    command: SendTransfer
    peer: BudgetCode
    peer_position: int

    def movement(self) -> Movement:
        """Execute the line and take the cash."""
        asked = self.command
        return Movement(
            effective_from=asked.value_date, adopted_on=asked.adopted, line=asked.line,
            amounts={"executed": asked.amount_minor, "cash": -asked.amount_minor},
        )  # fmt: skip


@event(
    "budget.transfer.received",
    example={
        "peer": "KZ-2025-republic",
        "peer_position": 9,
        "transfer": "subvention",
        "line": ["revenue", "4", "02", "1"],
        "amount_minor": 1000,
        "value_date": "2025-02-01",
        "adopted_on": "2025-02-01",
    },
)
@dataclass(frozen=True, kw_only=True)
class TransferReceived(Event):
    """The receiving side of a transfer, under the sender's command id."""

    peer: BudgetCode
    peer_position: int
    transfer: Kind
    line: Path
    amount_minor: Positive
    value_date: Day
    adopted_on: Day
    purpose: Text | None = None

    def movement(self) -> Movement:
        """Execute the receipts line and add the cash."""
        return Movement(
            effective_from=self.value_date, adopted_on=self.adopted_on, line=self.line,
            amounts={"executed": self.amount_minor, "cash": self.amount_minor},
        )  # fmt: skip
