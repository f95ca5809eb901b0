"""Who may do what, at which level, since when: dated data and one check (spec E1).

The table is the jurisdiction's; no code branches on a date or a capacity.
"""

from __future__ import annotations

from datetime import date

from ledger.errors import Refuse
from ledger.jurisdiction import Jurisdiction


def check_authority(
    jurisdiction: Jurisdiction, *, action: str, capacity: str, level: int, on: date
) -> None:
    """Refuse `actor-not-authorized` unless a rule in force lets the capacity act.

    An action that the jurisdiction does not list at all at that level is open to nobody.
    """
    if jurisdiction.allows(action, capacity, level, on):
        return
    rules = [r for r in jurisdiction.authority if r.action == action and r.holds(level, on)]
    allowed = sorted({capacity for rule in rules for capacity in rule.capacities})
    law = "; ".join(sorted({rule.law for rule in rules if rule.law}))
    raise Refuse(
        "actor-not-authorized",
        f"{capacity} may not {action} at level {level} on {on}; "
        f"may: {', '.join(allowed) or 'nobody'}",
        rule="I3",
        law=law,
        action=action,
        capacity=capacity,
        level=level,
        on=on,
    )
