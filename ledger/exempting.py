"""Which lines no sequestration may touch on a day (I10).

Entries of the law's lists (rulebook) and of the budget's own list; a programme that holds an
exempt subprogramme without an amount of its own counts as wholly exempt (design §9.6). Dated
policy `exempt-administrators` names administrators whose programmes are exempt (A146).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from ledger.cells import EXEMPT
from ledger.rules import Exemption

if TYPE_CHECKING:
    from ledger.decision import Case


def entries(case: Case, on: date) -> list[Exemption]:
    """Return the exempt entries in force for the budget on a day, resolved to lines or not."""
    found = [entry for entry in case.rules.exemptions if entry.holds(case.level, on)]
    cell = case.own.get(EXEMPT)
    own = [from_fact(value) for value in cell.facts.values()] if cell else []
    return found + [entry for entry in own if entry.holds(case.level, on)]


def exempt(case: Case, line: tuple[str, ...], on: date) -> Exemption | None:
    """Return the entry that protects a line on a day, or None."""
    for entry in entries(case, on):
        if entry.line is None:
            continue
        depth = min(len(entry.line), len(line))
        if entry.line[:depth] == line[:depth]:
            return entry
    section = case.jurisdiction.section(line[0])
    names = [dimension.name for dimension in section.dimensions] if section else []
    protected = case.policy("exempt-administrators", on) or ()
    if "administrator" in names:
        place = names.index("administrator") + 1
        if len(line) > place and line[place] in protected:
            return Exemption(effective_from=on, effective_until=on, line=line[: place + 1])
    return None


def to_fact(entry: Exemption) -> list[Any]:
    """Return an entry as the stored fact of the exempt cell."""
    until = entry.effective_until.isoformat() if entry.effective_until else None
    return [
        entry.effective_from.isoformat(),
        until,
        list(entry.line or ()),
        entry.name,
        list(entry.levels),
    ]


def from_fact(value: Any) -> Exemption:
    """Read an entry from the stored fact of the exempt cell."""
    since, until, line, name, levels = value
    return Exemption(
        effective_from=date.fromisoformat(since),
        effective_until=date.fromisoformat(until) if until else None,
        line=tuple(line) or None, name=name, levels=tuple(levels),
    )  # fmt: skip
