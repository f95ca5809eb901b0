"""What a load did: counts, refusals, bad rows, control totals and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from api.load.rows import BadRow


class LoadRefused(Exception):
    """The files as a set cannot be loaded; nothing was posted."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A command that the ledger refused, with the place it came from."""

    place: str
    budget: str
    command: str
    command_id: str
    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class ControlTotal:
    """A figure that the source publishes beside the same figure summed or asked here."""

    name: str
    file: str
    published: str
    found: str
    tolerance: str = "0"

    @property
    def holds(self) -> bool:
        """Tell whether both are equal, within the declared rounding of the source."""
        try:
            gap = Decimal(self.published) - Decimal(self.found)
        except InvalidOperation:
            return False
        return abs(gap) <= Decimal(self.tolerance)


@dataclass
class LoadReport:
    """The outcome of one load; `ok` when nothing was refused and every control total holds.

    `withheld` counts commands of an atomic load that were not written, because another one was
    refused.
    """

    mapping: str
    files: list[str] = field(default_factory=list)
    commands: int = 0
    accepted: int = 0
    replayed: int = 0
    withheld: int = 0
    refused: list[Refused] = field(default_factory=list)
    bad_rows: list[BadRow] = field(default_factory=list)
    controls: list[ControlTotal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Tell whether everything was taken and every control total holds."""
        return not self.refused and not self.bad_rows and all(c.holds for c in self.controls)

    def count(self, document: dict[str, Any], place: str, answer: dict[str, Any]) -> None:
        """Add one answer."""
        self.commands += 1
        if answer["status"] == "withheld":
            self.withheld += 1
        elif answer["status"] != "accepted":
            refusal = answer.get("refusal") or {}
            self.refused.append(Refused(
                place=place, budget=document["budget"], command=document["command"],
                command_id=document["command_id"], code=str(refusal.get("code", "refused")),
                message=str(refusal.get("message", "")),
            ))  # fmt: skip
        elif answer.get("replayed"):
            self.replayed += 1
        else:
            self.accepted += 1

    def bad(self, rows: Sequence[BadRow]) -> None:
        """Add bad rows."""
        self.bad_rows.extend(rows)

    def document(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "mapping": self.mapping, "files": self.files, "ok": self.ok,
            "commands": self.commands, "accepted": self.accepted, "replayed": self.replayed,
            "withheld": self.withheld,
            "refused": [asdict(found) for found in self.refused],
            "bad_rows": [asdict(found) for found in self.bad_rows],
            "controls": [{**asdict(found), "holds": found.holds} for found in self.controls],
            "notes": self.notes,
        }  # fmt: skip
