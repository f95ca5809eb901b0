"""What a sequestration may touch (Q7): exempt and cuttable amounts, room under the threshold.

Law: K25 97; I10, I11. The same rules as the decision of a sequestration, over the live sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, cast

from ledger import exempting
from ledger.cells import BUDGET, EXEMPT, Cell, Key
from ledger.rules import Rules
from ledger.store.read import load_key, new_state
from projections.budget_execution.figures import ExecutionReport, Path
from projections.budget_execution.report import find_head, report


@dataclass(frozen=True, kw_only=True)
class ExemptLine:
    """One spending line with its amended amount (minor units) and what protects it, if so."""

    line: Path
    title: str | None
    amended_minor: int
    exempt: bool
    entry: str | None


@dataclass(frozen=True, kw_only=True)
class ExemptReport:
    """Exempt and cuttable amounts in minor units.

    `headroom_minor` is what the executive may still cut alone this year, None without a
    threshold; `unresolved` are names of exempt lists that no code is given for.
    """

    budget: str
    on: date
    sequence: int
    exempt_minor: int
    cuttable_minor: int
    sequestered_minor: int
    headroom_minor: int | None
    unresolved: list[str]
    lines: list[ExemptLine]


class _Facts:
    """What the domain's rule reads of a budget: its cells of facts and the rules in force."""

    def __init__(self, rules: Rules, cells: dict[Key, Cell | None]) -> None:
        self.rules = rules
        self.jurisdiction = rules.jurisdiction
        self.own = cells

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Facts of the budget itself."""
        cell = self.own.get(BUDGET)
        return dict(cell.facts) if cell else {}

    @property
    def level(self) -> int:
        """Level of the budget."""
        return int(self.facts.get("level", 0))

    def policy(self, name: str, on: date) -> Any:
        """Return the value of a dated policy at this level, or None."""
        found = self.rules.policy(name, self.level, on)
        return found.value if found else None


async def exempt(connection: Any, rules: Rules, budget: str, on: date) -> ExemptReport:
    """Return exempt and cuttable amended amounts of the year, by the lists in force on a day."""
    head = await find_head(connection, budget)
    state = new_state(head)
    for key in (BUDGET, EXEMPT):
        await load_key(connection, state, key)
    whole = await report(connection, rules, budget=budget)
    return compose(whole, rules, state.cells, on)


def compose(
    whole: ExecutionReport, rules: Rules, cells: dict[Key, Cell | None], on: date
) -> ExemptReport:
    """Return the report of a year's figures and the budget's facts; pure."""
    case = cast("Any", _Facts(rules, cells))
    found = []
    for row in whole.rows:
        section = rules.jurisdiction.section(row.line[0])
        if section is None or section.side != "spending":
            continue
        entry = exempting.exempt(case, row.line, on)
        found.append(ExemptLine(
            line=row.line, title=row.title, amended_minor=row.amended, exempt=entry is not None,
            entry=(entry.name or " / ".join(entry.line or ())) if entry else None,
        ))  # fmt: skip
    base = sum(line.amended_minor for line in found if not line.exempt)
    cut = int(case.facts.get("sequestered_minor", 0))
    below = case.policy("executive-sequestration-below-bps", on)
    room = None if below is None else max(0, (int(below) * base - 1) // 10_000 - cut)
    return ExemptReport(
        budget=whole.budget, on=on, sequence=whole.sequence, cuttable_minor=base,
        exempt_minor=sum(line.amended_minor for line in found if line.exempt),
        sequestered_minor=cut, headroom_minor=room, unresolved=_unresolved(case, on),
        lines=found,
    )  # fmt: skip


def _unresolved(case: Any, on: date) -> list[str]:
    """Return names of lists in force that no entry gives a line for."""
    entries = exempting.entries(case, on)
    resolved = {entry.name for entry in entries if entry.line is not None and entry.name}
    names = {entry.name for entry in entries if entry.line is None and entry.name}
    return sorted(names - resolved)
