"""Erasure of personal data: the annex of a command is destroyed, its proofs stay valid.

Law of the RK "On personal data and their protection" of 21 May 2013 No 94-V, art. 18 (дербес
деректерді жою / уничтожение персональных данных). The event is the tombstone: who ordered it
(actor), when, on what ground (act, reason). Salt and value go in the transaction that writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from ledger.events import Command, Event, command, event
from ledger.terms import PERSONAL, Id


def _known(name: str) -> str:
    """Refuse a field that no annex has."""
    if name not in PERSONAL:
        msg = f"{name} is none of: {', '.join(sorted(PERSONAL))}"
        raise ValueError(msg)
    return name


PersonalField = Annotated[
    str, Field(strict=True, json_schema_extra={"enum": sorted(PERSONAL)}), AfterValidator(_known)
]


@command("EraseAnnex", action="erase-personal", reason=True)
@dataclass(frozen=True, kw_only=True)
class EraseAnnex(Command):
    """Destroy personal values of an earlier command of this budget; `fields` empty means all."""

    stages = ("rulebook", "opened", "approved")
    timeless = True
    erases = True
    erased_command: Id
    fields: tuple[PersonalField, ...] = ()

    def decide(self, case: Any) -> Iterator[Event]:
        """Record the order; what is not there, or not there any more, needs no destroying."""
        case.require(
            self.erased_command != self.command_id, "unknown-annex",
            "a command cannot erase its own annex", rule="A14",
        )  # fmt: skip
        yield case.emit(AnnexErased)


@event(
    "ledger.annex.erased",
    example={
        "command": {
            "name": "EraseAnnex",
            "erased_command": str(UUID(int=1)),
            "fields": ["payee_name", "payee_number"],
            "reason": "storage period is over",
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class AnnexErased(Event):
    """Personal values of a command were destroyed; the commitments stay and open no more."""

    command: EraseAnnex
