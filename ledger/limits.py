"""Checking the limits of the cells that a command touched.

Every limit of every touched cell, in the law's order, on every later day; each day is judged by
the control in force on it (stop, warn or off, with a tolerance). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from ledger.cells import (
    ALWAYS,
    BUDGET,
    LIMITS,
    BudgetState,
    Cell,
    Key,
    Limit,
    Overlay,
    Timeline,
    broken_limit,
    room,
    shortfalls,
)
from ledger.errors import BrokenLimit
from ledger.rules import Rules

GUARDS = {"cash": 1, "special-account": 1, "payments-plan": 2, "unused-registration": 4,
          "commitments-plan": 8, "appropriation": 16, "plan-balance": 32}  # fmt: skip
"""The bit of each limit that the database guards again with a CHECK on end-of-line figures."""
BY_KIND = {kind: tuple(limit for limit in LIMITS if kind in limit.kinds)
           for kind in ("budget", "line", "contract", "payment", "account")}  # fmt: skip
GUARDED = {kind: tuple((limit, GUARDS[limit.name]) for limit in limits if limit.name in GUARDS)
           for kind, limits in BY_KIND.items()}  # fmt: skip


def check_limits(
    overlays: Mapping[str, Overlay], rules: Rules
) -> tuple[list[BrokenLimit], tuple[str, ...]]:
    """Return the limits that stop the command, in the law's order, and the names that warn."""
    found: list[tuple[int, str, BrokenLimit | None]] = []
    for overlay in overlays.values():
        for key, since in overlay.since.items():
            for limit in BY_KIND[key[0]]:
                if _fits(overlay, key, limit, since):
                    continue
                mode, broken = _check_limit(overlay, rules, key, limit, since)
                if broken is not None and len(overlays) > 1:
                    broken = replace(broken, subject=f"{overlay.base.code} {broken.subject}")
                if mode != "off":
                    found.append((LIMITS.index(limit), limit.name, broken))
    found.sort(key=lambda item: item[0])
    stops = [broken for _, _, broken in found if broken is not None]
    warns = dict.fromkeys(name for _, name, broken in found if broken is None)
    return stops, tuple(warns)


def _fits(overlay: Overlay, key: Key, limit: Limit, since: int) -> bool:
    """Tell quickly that a limit holds: at the end of both timelines one comparison does.

    False means only that it must be looked at closely.
    """
    cell = overlay.changed[key]
    measures = cell.measures
    cap = measures.get(limit.cap)
    use = measures.get(limit.use) if limit.use else None
    if cap is None:
        return use is None
    if cell.facts.get("contra") or cap.last_day > since:
        return False
    if use is None:
        return cap.total >= 0
    before = overlay.base.cells.get(key)
    known = before is not None and limit.cap in before.measures
    return known and use.last_day <= since and use.total <= cap.total


def _check_limit(
    overlay: Overlay, rules: Rules, key: Key, limit: Limit, since: int
) -> tuple[str, BrokenLimit | None]:
    """Return "stop" with the first day that breaks, "warn" where that is all, else "off".

    Only a day on which the command took room counts: a limit exceeded under an earlier warning
    does not block what does not make it worse. A cap that is new holds from the first use on.
    """
    if not applies(overlay, key, limit, rules):
        return "off", None
    hardest = "off"
    after, before = overlay.changed[key], overlay.base.cells.get(key)
    if limit.use in after.measures and (before is None or limit.cap not in before.measures):
        since = min(since, after.measures[limit.use].days[0])
    for day, left in shortfalls(after, limit, since):
        mode, tolerance = _mode(overlay, rules, limit, day)
        if mode == "off" or left >= -tolerance:
            continue
        had = 0
        if before is not None and (
            limit.cap in before.measures or applies(overlay.base, key, limit, rules)
        ):
            had = room(before, limit, day)
        if left >= had:
            continue
        if mode == "stop":
            return mode, broken_limit(key, limit, day, had, left)
        hardest = "warn"
    return hardest, None


def _level(overlay: Overlay) -> int:
    """Return the level of an overlay's budget."""
    cell = overlay.get(BUDGET)
    return int(cell.facts.get("level", 0)) if cell else 0


def _mode(overlay: Overlay, rules: Rules, limit: Limit, day: int) -> tuple[str, int]:
    """Return how hard a limit is for a budget on a day."""
    if limit.name in ALWAYS:
        return "stop", 0
    control = rules.control(limit.name, _level(overlay), date.fromordinal(day))
    return control.mode, control.tolerance_minor


def applies(cells: Overlay | BudgetState, key: Key, limit: Limit, rules: Rules) -> bool:
    """Tell whether a limit concerns a cell.

    A line's limit applies where the cap's figure stands at or below the line; where no cell of
    the path has the figure it applies to the deepest one, with a cap of zero. Receipts are
    limited by arithmetic only, and contra lines are mirrored, so not limited.
    """
    cell = cells.get(key)
    if cell is None:
        return False
    if key[0] == "budget" and limit.name == "plan-balance":
        return "plan_receipts" in cell.measures
    if key[0] != "line":
        return limit.cap in cell.measures or limit.use in cell.measures
    if not _limited(cell, limit, rules):
        return False
    if limit.use and limit.use not in cell.measures:
        return False
    if limit.cap in cell.measures:
        return True
    if not limit.use:
        return False
    path = key[1]
    on_path = [cells.get(("line", path[:depth])) for depth in range(1, len(path) + 1)]
    if any(c is not None and limit.cap in c.measures for c in on_path):
        return False
    below = any(
        c.key[1][: len(path)] == path and c.key != key and limit.use in c.measures
        for c in cells.lines()
    )
    return not below


def _is_spending(cell: Cell, rules: Rules) -> bool:
    """Tell whether a line stands on the spending side."""
    section = rules.jurisdiction.section(cell.key[1][0])
    return section is not None and section.side == "spending"


def _limited(cell: Cell, limit: Limit, rules: Rules) -> bool:
    """Tell whether a line is limited at all: spending, not contra; receipts by arithmetic."""
    section = rules.jurisdiction.section(cell.key[1][0])
    if section is None or cell.facts.get("contra"):
        return False
    return section.side == "spending" or limit.name in ALWAYS


def guards(
    overlays: Mapping[str, Overlay], rules: Rules, on: date
) -> dict[tuple[str, Key], tuple[int, int]]:
    """Return for every changed cell which CHECKs must hold from now on, and the tolerance.

    A limit is guarded where it stops on the last day that the cell speaks of. What it exceeded
    before the command (under an earlier warning) must not block what does not make it worse; what
    it exceeds only now is left to the CHECK: `check_limits` should have refused it.
    """
    found = {}
    for code, overlay in overlays.items():
        level = _level(overlay)
        for key, cell in overlay.changed.items():
            before = overlay.base.cells.get(key)
            found[code, key] = _guards_of(before, cell, rules, level, on)
    return found


def _guards_of(
    before: Cell | None, cell: Cell, rules: Rules, level: int, on: date
) -> tuple[int, int]:
    """Return the CHECKs of one changed cell as bits, and the largest tolerance."""
    kind = cell.key[0]
    if cell.facts.get("contra") or (kind == "line" and not _is_spending(cell, rules)):
        return 0, 0
    bits = broken = slack = 0
    day, measures = on.toordinal(), cell.measures
    for limit, bit in GUARDED.get(kind, ()):
        cap = measures.get(limit.cap)
        if cap is None:
            continue
        use = measures.get(limit.use)
        last = max(cap.last_day, use.last_day if use else 0, day)
        control = rules.control(limit.name, level, on if last == day else date.fromordinal(last))
        if control.mode != "stop":
            continue
        tolerance = control.tolerance_minor
        if _exceeds(cap, use, tolerance) and (
            before is None or limit.cap not in before.measures
            or _exceeds(before.timeline(limit.cap), before.measures.get(limit.use), tolerance)
        ):  # fmt: skip
            broken |= bit
        bits |= bit
        slack = max(slack, tolerance)
    return bits & ~broken, slack


def _exceeds(cap: Timeline, use: Timeline | None, tolerance_minor: int) -> bool:
    """Tell whether the end-of-line figure of a use is above its cap."""
    return (use.total if use else 0) > cap.total + tolerance_minor
