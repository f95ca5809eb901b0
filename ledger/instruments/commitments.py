"""Commitments (міндеттеме, обязательство): contracts registered in treasury.

Law: K25 109: inside the commitments plan; no registration after 20 December except reserve money,
multi-year and supplementary agreements (I8). Cutting a line never cancels a contract by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from ledger.cells import Key
from ledger.events import Command, Event, Movement, command, event
from ledger.terms import Amount, Change, Day, Name, Party, Path, Positive

LAW = "K25 109"


@command("RegisterCommitment", action="commit")
@dataclass(frozen=True, kw_only=True)
class RegisterCommitment(Command):
    """Register a contract on a spending line; `exception` names what 20 December excepts."""

    contract: Name
    line: Path
    amount_minor: Amount
    effective_from: Day
    payee: Party | None = None
    exception: Literal["reserve", "multi-year", "supplementary"] | None = None

    def decide(self, case: Any) -> Iterator[Event]:
        """Register a new contract in time; the commitments plan is checked as a limit."""
        case.line(self.line)
        section = case.jurisdiction.section(self.line[0])
        case.require(
            section.side == "spending",
            "wrong-section",
            "only spending is committed",
            rule="B6",
            line=" / ".join(self.line),
        )
        case.require(
            self.effective_from <= case.today,
            "value-date-in-future",
            f"registered on {self.effective_from}, today is {case.today}",
            rule="B6",
        )
        case.require(
            case.own.get(("contract", self.contract)) is None,
            "contract-exists",
            f"contract {self.contract} is registered already",
            rule="I28",
            contract=self.contract,
        )
        closes = case.policy("registration-closes", case.today)
        if closes is not None and self.exception is None:
            last: date = case.year.anniversary(closes)
            case.require(
                case.today <= last and self.effective_from <= last,
                "registration-closed",
                f"no registration after {last}, today is {case.today}",
                rule="I8",
                law=LAW,
                last_day=last,
                today=case.today,
            )
        yield case.emit(CommitmentRegistered, contra=case.sign(self.line) < 0)


@event(
    "budget.commitment.registered",
    example={
        "command": {
            "name": "RegisterCommitment",
            "contract": "C1",
            "line": ["expenditure", "01", "101", "001"],
            "amount_minor": 60000,
            "effective_from": "2025-01-20",
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class CommitmentRegistered(Event):
    """A contract was registered (уведомление о регистрации договора)."""

    command: RegisterCommitment
    contra: bool = False

    def movement(self) -> Movement:
        """Accept the commitment on its line."""
        asked = self.command
        amount = -asked.amount_minor if self.contra else asked.amount_minor
        return Movement(
            effective_from=asked.effective_from,
            adopted_on=asked.adopted,
            line=asked.line,
            contract=asked.contract,
            amounts={"accepted": amount},
        )

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Remember the contract's line and status."""
        asked = self.command
        yield (
            ("contract", asked.contract),
            {
                "line": list(asked.line),
                "status": "registered",
                "payee": asked.payee,
                "contra": True if self.contra else None,
            },
        )


@command("ChangeCommitment", action="commit", reason=True)
@dataclass(frozen=True, kw_only=True)
class ChangeCommitment(Command):
    """Change a contract's registered amount by a signed amount."""

    contract: Name
    change_minor: Change
    effective_from: Day

    def decide(self, case: Any) -> Iterator[Event]:
        """Change a registered contract; never below what is paid on it (a limit)."""
        cell = case.contract(self.contract)
        case.require(self.change_minor != 0, "no-change", "the change is zero", rule="I28")
        case.require(
            self.effective_from <= case.today,
            "value-date-in-future",
            f"effective on {self.effective_from}, today is {case.today}",
            rule="B6",
        )
        yield case.emit(
            CommitmentChanged, line=tuple(cell.facts["line"]), contra=bool(cell.facts.get("contra"))
        )


@event(
    "budget.commitment.changed",
    example={
        "line": ["expenditure", "01", "101", "001"],
        "command": {
            "name": "ChangeCommitment",
            "contract": "C1",
            "change_minor": -5000,
            "effective_from": "2025-03-20",
            "reason": "supplementary agreement",
        },
    },
)
@dataclass(frozen=True, kw_only=True)
class CommitmentChanged(Event):
    """A contract's registered amount changed."""

    command: ChangeCommitment
    line: Path
    contra: bool = False

    def movement(self) -> Movement:
        """Change the accepted commitment."""
        asked = self.command
        change = -asked.change_minor if self.contra else asked.change_minor
        return Movement(
            effective_from=asked.effective_from, adopted_on=asked.adopted, line=self.line,
            contract=asked.contract, amounts={"accepted": change},
        )  # fmt: skip


@command("CancelCommitment", action="commit", reason=True)
@dataclass(frozen=True, kw_only=True)
class CancelCommitment(Command):
    """Cancel a contract: its unpaid rest is released."""

    contract: Name
    effective_from: Day

    def decide(self, case: Any) -> Iterator[Event]:
        """Cancel a contract with an unpaid rest; money that came back later is a rest again."""
        found = case.own.get(("contract", self.contract))
        contra = bool(found and found.facts.get("contra"))
        rest = found.total("accepted") - found.total("executed") if found else 0
        rest = -rest if contra else rest
        cell = found if rest > 0 else case.contract(self.contract)
        case.require(
            rest > 0,
            "nothing-to-cancel",
            f"contract {self.contract} has no unpaid rest",
            rule="I7",
            law=LAW,
            contract=self.contract,
        )
        case.require(
            self.effective_from <= case.today,
            "value-date-in-future",
            f"effective on {self.effective_from}, today is {case.today}",
            rule="B6",
        )
        yield case.emit(
            CommitmentCancelled, line=tuple(cell.facts["line"]), amount_minor=rest, contra=contra
        )


@event(
    "budget.commitment.cancelled",
    example={
        "line": ["expenditure", "01", "101", "001"],
        "amount_minor": 42000,
        "command": {
            "name": "CancelCommitment",
            "contract": "C1",
            "effective_from": "2025-09-01",
            "reason": "supplier withdrew",
        },
    },
)
@dataclass(frozen=True, kw_only=True)
class CommitmentCancelled(Event):
    """A contract was cancelled; `amount_minor` is the unpaid rest that was released."""

    command: CancelCommitment
    line: Path
    amount_minor: Positive
    contra: bool = False

    def movement(self) -> Movement:
        """Release the unpaid rest."""
        asked = self.command
        released = -self.amount_minor if self.contra else self.amount_minor
        return Movement(
            effective_from=asked.effective_from, adopted_on=asked.adopted, line=self.line,
            contract=asked.contract, amounts={"accepted": -released},
        )  # fmt: skip

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Close the contract."""
        yield ("contract", self.command.contract), {"status": "cancelled"}
