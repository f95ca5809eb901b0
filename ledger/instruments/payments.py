"""Payments (төлем, платеж), their rejection and return, and recovery of cash expenditure.

Law: K25 110: within the cash of the account, the payments plan and the unused balance of the
registration; K25 114 (rejected documents are watched too). Recovery (восстановление кассовых
расходов) is a new event with negative cash effect linked to the payment, never an edit (I28).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ledger.cells import Cell, Key
from ledger.errors import Refuse
from ledger.events import Command, Event, Movement, command, event
from ledger.terms import Amount, Day, Id, Name, Party, Path

LAW = "K25 110"


@command("ExecutePayment", action="pay")
@dataclass(frozen=True, kw_only=True)
class ExecutePayment(Command):
    """Pay from a spending line, on a registered contract or, where the law allows, without."""

    line: Path
    amount_minor: Amount
    value_date: Day
    contract: Name | None = None
    payee: Party | None = None

    def decide(self, case: Any) -> Iterator[Event]:
        """Pay on a known line; cash, plan and registration are checked as limits."""
        case.line(self.line)
        section = case.jurisdiction.section(self.line[0])
        case.require(
            section.side == "spending",
            "wrong-section",
            "payments are made from spending lines",
            rule="B6",
            line=" / ".join(self.line),
        )
        if self.contract is None:
            case.require(
                case.policy("registration-required") != "yes",
                "registration-missing",
                "the payment needs a registered contract",
                rule="I7",
                law="K25 109",
            )
        else:
            check_contract(case, self.contract, self.line)
        yield case.emit(PaymentExecuted, contra=case.sign(self.line) < 0)


def check_contract(case: Any, contract: str, line: tuple[str, ...]) -> None:
    """Refuse a payment on an unknown or cancelled contract, or outside the contract's line."""
    cell = case.contract(contract)
    committed = tuple(cell.facts["line"])
    if line[: len(committed)] != committed:
        raise Refuse(
            "wrong-line",
            f"contract {contract} is registered on {' / '.join(committed)}",
            rule="I7",
            law=LAW,
            contract=contract,
            line=" / ".join(line),
        )


@event(
    "budget.payment.executed",
    example={
        "command": {
            "name": "ExecutePayment",
            "contract": "C1",
            "line": ["expenditure", "01", "101", "001"],
            "amount_minor": 20000,
            "value_date": "2025-02-18",
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class PaymentExecuted(Event):
    """Money was paid; on a contra line (`contra`) it came in instead."""

    command: ExecutePayment
    contra: bool = False

    def movement(self) -> Movement:
        """Execute the line and take the cash."""
        asked = self.command
        amount = -asked.amount_minor if self.contra else asked.amount_minor
        return Movement(
            effective_from=asked.value_date, adopted_on=asked.adopted, line=asked.line,
            contract=asked.contract, payment=self.command_id,
            amounts={"executed": amount, "cash": -amount},
        )  # fmt: skip

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Remember what a later return or recovery of this payment refers to."""
        asked = self.command
        yield ("payment", str(self.command_id)), {
            "line": list(asked.line), "contract": asked.contract,
            "contra": True if self.contra else None,
        }  # fmt: skip


@command("RejectPayment", action="pay", reason=True)
@dataclass(frozen=True, kw_only=True)
class RejectPayment(Command):
    """Record that treasury rejected a payment document; no money moves."""

    line: Path
    amount_minor: Amount
    effective_from: Day
    contract: Name | None = None
    payee: Party | None = None

    def decide(self, case: Any) -> Iterator[Event]:
        """Record the rejection on a known line."""
        case.line(self.line)
        case.require(
            self.effective_from <= case.today,
            "value-date-in-future",
            f"rejected on {self.effective_from}, today is {case.today}",
            rule="B6",
        )
        yield case.emit(PaymentRejected)


@event(
    "budget.payment.rejected",
    example={
        "command": {
            "name": "RejectPayment",
            "line": ["expenditure", "01"],
            "amount_minor": 43000,
            "effective_from": "2025-07-01",
            "reason": "no act of delivery",
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class PaymentRejected(Event):
    """A payment document was rejected by treasury."""

    command: RejectPayment

    def movement(self) -> Movement:
        """Change no amounts; keep the line and the contract."""
        asked = self.command
        return Movement(
            effective_from=asked.effective_from,
            adopted_on=asked.adopted,
            line=asked.line,
            contract=asked.contract,
        )


@dataclass(frozen=True, kw_only=True)
class _Backward(Command):
    """What a return and a recovery have in common: they undo part of one payment."""

    payment: Id
    amount_minor: Amount
    value_date: Day

    def terms(self, case: Any) -> dict[str, Any]:
        """Return the payment's line and contract. Refuses `unknown-payment`."""
        cell: Cell | None = case.own.get(("payment", str(self.payment)))
        if cell is None:
            raise Refuse(
                "unknown-payment",
                f"no payment {self.payment} was executed",
                rule="I28",
                law=LAW,
                payment=self.payment,
            )
        return {
            "line": tuple(cell.facts["line"]),
            "contract": cell.facts.get("contract"),
            "contra": bool(cell.facts.get("contra")),
        }


@dataclass(frozen=True, kw_only=True)
class _BackwardEvent(Event):
    """Money of a payment came back."""

    command: Any
    line: Path
    contract: Name | None = None
    contra: bool = False

    def movement(self) -> Movement:
        """Give back the line's execution, the contract's balance and the cash."""
        asked = self.command
        amount = asked.amount_minor if not self.contra else -asked.amount_minor
        return Movement(
            effective_from=asked.value_date, adopted_on=asked.adopted, line=self.line,
            contract=self.contract, payment=asked.payment,
            amounts={"executed": -amount, "cash": amount},
        )  # fmt: skip

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Keep the payment's cell from now on."""
        yield ("payment", str(self.command.payment)), {"returned": True}


@command("ReturnPayment", action="pay", reason=True)
@dataclass(frozen=True, kw_only=True)
class ReturnPayment(_Backward):
    """The bank returned a payment, whole or in part (возврат)."""

    def decide(self, case: Any) -> Iterator[Event]:
        """Return at most what is left of the payment (a limit)."""
        yield case.emit(PaymentReturned, **self.terms(case))


@event(
    "budget.payment.returned",
    example={
        "line": ["expenditure", "01"],
        "contract": "C1",
        "command": {
            "name": "ReturnPayment",
            "payment": str(UUID(int=1)),
            "amount_minor": 20000,
            "value_date": "2025-02-19",
            "reason": "wrong account",
        },
    },
)
@dataclass(frozen=True, kw_only=True)
class PaymentReturned(_BackwardEvent):
    """The bank returned a payment."""

    command: ReturnPayment


@command("RecoverCashExpenditure", action="pay", reason=True)
@dataclass(frozen=True, kw_only=True)
class RecoverCashExpenditure(_Backward):
    """The payee gave money of this year's payment back (восстановление кассовых расходов)."""

    def decide(self, case: Any) -> Iterator[Event]:
        """Recover at most what is left of the payment (a limit)."""
        yield case.emit(CashExpenditureRecovered, **self.terms(case))


@event(
    "budget.cash_expenditure.recovered",
    example={
        "line": ["expenditure", "01"],
        "contract": "C1",
        "command": {
            "name": "RecoverCashExpenditure",
            "payment": str(UUID(int=1)),
            "amount_minor": 2000,
            "value_date": "2025-05-02",
            "reason": "unused advance",
        },
    },
)
@dataclass(frozen=True, kw_only=True)
class CashExpenditureRecovered(_BackwardEvent):
    """Cash expenditure was recovered: line, plan, contract and cash have it back."""

    command: RecoverCashExpenditure
