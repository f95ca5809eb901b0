"""Checking the limits of the cells that a command touched.

Every limit of every touched cell, in the law's order, on every later day; each day is judged by
the control in force on it (stop, warn or off, with a tolerance). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from ledger.cells import (
    BUDGET,
    BudgetState,
    Cell,
    Guarded,
    Key,
    Overlay,
    subject,
)
from ledger.errors import BrokenLimit
from ledger.events import MEASURES
from ledger.rules import Rules
from ledger.timelines import ZERO, Timeline


@dataclass(frozen=True)
class Limit:
    """A rule of one cell: `use` never exceeds `cap` on any day (no cap: `use` never below 0)."""

    name: str
    kinds: tuple[str, ...]
    cap: str
    use: str


LIMITS = (
    Limit("plan-below-zero", ("line",), "plan_commitments", ""),
    Limit("plan-below-zero", ("line",), "plan_payments", ""),
    Limit("plan-below-zero", ("line",), "plan_receipts", ""),
    Limit("figure-below-zero", ("line",), "adjusted", ""),
    Limit("payment-remaining", ("payment",), "executed", ""),
    Limit("cash", ("budget",), "cash", ""),
    Limit("special-account", ("account",), "cash", ""),
    Limit("payments-plan", ("line",), "plan_payments", "executed"),
    Limit("unused-registration", ("contract",), "accepted", "executed"),
    Limit("commitments-plan", ("line",), "plan_commitments", "accepted"),
    Limit("appropriation", ("line",), "adjusted", "plan_payments"),
    Limit("appropriation", ("line",), "adjusted", "plan_commitments"),
    Limit("appropriation", ("line",), "adjusted", "executed"),
    Limit("plan-balance", ("budget",), "plan_receipts", "plan_payments"),
)
"""All limits in the law's order of refusal (K25 110, 109, 103, 97); design §9.7."""
ALWAYS = frozenset({"plan-below-zero", "figure-below-zero", "payment-remaining"})
"""Limits that are arithmetic, not policy: they stop in every jurisdiction."""


def room(cell: Cell, limit: Limit, day: int) -> int:
    """Return cap minus use on a day; figures of a contra contract or payment are mirrored."""
    used = cell.timeline(limit.use).at(day) if limit.use else 0
    left = cell.timeline(limit.cap).at(day) - used
    return -left if cell.facts.get("contra") else left


def shortfalls(cell: Cell, limit: Limit, since: int) -> Iterator[tuple[int, int]]:
    """Yield (day, room) for each day from `since` on at which the use exceeds the cap.

    Sums change only on the timelines' own days, so these and `since` stand for every day.
    """
    cap = cell.measures.get(limit.cap, ZERO)
    use = cell.measures.get(limit.use, ZERO) if limit.use else ZERO
    sign = -1 if cell.facts.get("contra") else 1
    for day in sorted({since, *cap.after(since), *use.after(since)}):
        left = sign * (cap.at(day) - use.at(day))
        if left < 0:
            yield day, left


def broken_limit(key: Key, limit: Limit, day: int, had: int, left: int) -> BrokenLimit:
    """Return the figures of a limit that a command breaks on a day: room before and after."""
    return BrokenLimit(
        limit=limit.name, subject=subject(key), day=date.fromordinal(day).isoformat(),
        asked_minor=had - left, available_minor=had,
    )  # fmt: skip


GUARDS = {"cash": 1, "special-account": 1, "payments-plan": 2, "unused-registration": 4,
          "commitments-plan": 8, "appropriation": 16, "plan-balance": 32}  # fmt: skip
"""The bit of each limit that the database guards again with a CHECK on end-of-line figures."""
BY_KIND = {kind: tuple(limit for limit in LIMITS if kind in limit.kinds)
           for kind in ("budget", "line", "contract", "payment", "account")}  # fmt: skip
BY_MEASURE = {
    (kind, measure): tuple(limit for limit in limits if measure in (limit.cap, limit.use))
    for kind, limits in BY_KIND.items() for measure in MEASURES
}  # fmt: skip
GUARDED = {kind: tuple((limit, GUARDS[limit.name]) for limit in limits if limit.name in GUARDS)
           for kind, limits in BY_KIND.items()}  # fmt: skip


def check_limits(
    overlays: Mapping[str, Overlay], rules: Rules
) -> tuple[list[BrokenLimit], tuple[str, ...]]:
    """Return the limits that stop the command, in the law's order, and the names that warn."""
    found: list[tuple[int, str, BrokenLimit | None]] = []
    for overlay in overlays.values():
        changed, standing = overlay.changed, overlay.base.standing
        for key, marks in overlay.since.items():
            cell, before = changed[key], standing(key)
            for limit, since in _concerned(key, marks, before):
                if _fits(cell, before, limit, since):
                    continue
                overlay.doubtful.add(key)
                mode, broken = _check_limit(overlay, rules, key, limit, since)
                if broken is not None and len(overlays) > 1:
                    broken = replace(broken, subject=f"{overlay.base.code} {broken.subject}")
                if mode != "off":
                    found.append((LIMITS.index(limit), limit.name, broken))
    if not found:
        return [], ()
    found.sort(key=lambda item: item[0])
    stops = [broken for _, _, broken in found if broken is not None]
    warns = dict.fromkeys(name for _, name, broken in found if broken is None)
    return stops, tuple(warns)


def _concerned(
    key: Key, marks: Mapping[str, int], before: Cell | None
) -> Iterator[tuple[Limit, int]]:
    """Yield the limits that changed measures can break, each with the first day that changed.

    A new cell may have taken over what lies below it: all its limits are looked at.
    """
    if before is None:
        since = min(marks.values())
        for limit in BY_KIND[key[0]]:
            yield limit, since
    elif len(marks) == 1:
        [(measure, since)] = marks.items()
        for limit in BY_MEASURE[key[0], measure]:
            yield limit, since
    else:
        for limit in BY_KIND[key[0]]:
            days = [marks[name] for name in (limit.cap, limit.use) if name in marks]
            if days:
                yield limit, min(days)


def _fits(cell: Cell, before: Cell | None, limit: Limit, since: int) -> bool:
    """Tell quickly that a limit holds: where the use changes no more, one comparison does.

    The cap may change later, as a plan by months does. False means only that it must be looked
    at closely.
    """
    measures = cell.measures
    cap = measures.get(limit.cap)
    use = measures.get(limit.use) if limit.use else None
    if cap is None:
        return use is None
    if cell.facts.get("contra"):
        return False
    if use is None:
        return cap.least(since) >= 0
    if before is None or limit.cap not in before.measures:
        return False
    return use.days[-1] <= since and use.sums[-1] <= cap.least(since)


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
    after, before = overlay.changed[key], overlay.base.standing(key)
    if limit.use in after.measures and (before is None or limit.cap not in before.measures):
        since = min(since, after.measures[limit.use].whole()[0][0])
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
) -> dict[str, dict[Key, tuple[int, int]]]:
    """Return by budget which CHECKs of each changed cell must hold, and the tolerance.

    A limit is guarded where it stops on the last day that the cell speaks of. What it exceeded
    before the command (under an earlier warning) must not block what does not make it worse; what
    it exceeds only now is left to the CHECK: `check_limits` should have refused it.
    """
    found: dict[str, dict[Key, tuple[int, int]]] = {}
    today = on.toordinal()
    period = rules.control_period(today)
    for code, overlay in overlays.items():
        level, own, since = _level(overlay), {}, overlay.since
        for key, cell in overlay.changed.items():
            before = overlay.base.standing(key)
            known = before.guarded if before is not None else None
            if known is not None and known.holds(rules.adopted, cell, period):
                moved = since.get(key, ())
                last = max(known.last_day, today, *(cell.measures[m].days[-1] for m in moved))
                if key not in overlay.doubtful and (
                    last == known.last_day or rules.control_period(last) == period
                ):
                    cell.guarded = known if last == known.last_day else known._replace(
                        last_day=last)  # fmt: skip
                    own[key] = known.bits, known.slack
                    continue
            own[key] = _guards_of(before, cell, rules, level, on)
        found[code] = own
    return found


def _guards_of(
    before: Cell | None, cell: Cell, rules: Rules, level: int, on: date
) -> tuple[int, int]:
    """Return the CHECKs of one changed cell as bits, and the largest tolerance.

    What was worked out is kept with the cell where one set of controls held on all its days.
    """
    kind, day, measures = cell.key[0], on.toordinal(), cell.measures
    if cell.facts.get("contra"):
        return 0, 0
    bits = broken = slack = 0
    latest = day
    guarded = GUARDED.get(kind, ()) if kind != "line" or _is_spending(cell, rules) else ()
    for limit, bit in guarded:
        cap = measures.get(limit.cap)
        if cap is None:
            continue
        use = measures.get(limit.use)
        last = max(cap.last_day, use.last_day if use else 0, day)
        latest = max(latest, last)
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
    period = rules.control_period(day)
    if not broken and rules.control_period(latest) == period:
        cell.guarded = Guarded(rules.adopted, len(measures), period, latest, bits, slack)
    return bits & ~broken, slack


def _exceeds(cap: Timeline, use: Timeline | None, tolerance_minor: int) -> bool:
    """Tell whether the end-of-line figure of a use is above its cap."""
    return (use.total if use else 0) > cap.total + tolerance_minor
