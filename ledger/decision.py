"""How a command is decided: `decide(states, command, rules, recorded_at) -> Decision`. Pure.

Order of refusal (design §9.7): unknown things, stage, authority, classification, then limits in
the law's order. A refusal is an event too; it changes no cell.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ledger.authority import check_authority
from ledger.cells import (
    ALWAYS,
    BUDGET,
    LIMITS,
    BudgetState,
    Cell,
    Key,
    Limit,
    Overlay,
    broken_limit,
    room,
    shortfalls,
)
from ledger.dates import FiscalYear, local_day
from ledger.errors import BrokenLimit, Refusal, Refuse
from ledger.events import (
    RULEBOOK,
    Command,
    CommandRefused,
    Event,
    command_document,
    with_flags,
)
from ledger.jurisdiction import Jurisdiction
from ledger.rules import Rules


@dataclass(kw_only=True)
class Decision:
    """The events that follow from one command and the cells as they stand after them."""

    command: Command
    events: list[Event]
    overlays: dict[str, Overlay] = field(default_factory=dict)
    refusal: Refusal | None = None
    guards: dict[tuple[str, Key], tuple[int, int]] = field(default_factory=dict)


class Case:
    """What one command's decision may look at, and the events it has given so far."""

    def __init__(
        self,
        states: Mapping[str, BudgetState],
        command: Command,
        rules: Rules,
        recorded_at: int,
    ) -> None:
        """Prepare scratch cells for every budget of the command."""
        self.command = command
        self.rules = rules
        self.recorded_at = recorded_at
        self.overlays = {code: state.overlay() for code, state in states.items()}
        self.states = states
        self.own = self.overlays[command.budget]
        self.events: list[Event] = []
        self._positions = {code: state.position for code, state in states.items()}

    @property
    def jurisdiction(self) -> Jurisdiction:
        """The jurisdiction in force for this decision."""
        return self.rules.jurisdiction

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts of the budget itself: level, year, region, stage."""
        cell = self.own.get(BUDGET)
        return cell.facts if cell else {}

    @property
    def level(self) -> int:
        """Level of the budget; 0 for the rulebook."""
        return int(self.facts.get("level", 0))

    @property
    def year(self) -> FiscalYear:
        """The budget's fiscal year."""
        return self.jurisdiction.fiscal_year(int(self.facts["year"]))

    @property
    def today(self) -> date:
        """The ledger's own day, or the source's for declared imported history (design §9.10)."""
        source = self.command.source
        return source.recorded_on if source else self.ledger_day

    @property
    def ledger_day(self) -> date:
        """The day of `recorded_at` in the jurisdiction's time zone."""
        return local_day(self.recorded_at, self.jurisdiction.timezone)

    def policy(self, name: str, on: date | None = None) -> Any:
        """Return the value of a dated policy at this level, or None."""
        found = self.rules.policy(name, self.level, on or self.command.effective)
        return found.value if found else None

    def emit(self, cls: type[Event], budget: str | None = None, **fields: Any) -> Event:
        """Add an event: the first one carries the whole command; cells change at once."""
        code = budget or self.command.budget
        first = not any(e.originator_id == code for e in self.events)
        if first and code == self.command.budget:
            fields["command"] = self.command
        self._positions[code] += 1
        fact = cls(
            originator_id=code,
            originator_version=self._positions[code],
            command_id=self.command.command_id,
            recorded_at=self.recorded_at,
            rules_at=self.rules.position,
            **fields,
        )
        self.events.append(fact)
        self.overlays[code].apply(fact.movement())
        for key, facts in fact.facts():
            self.overlays[code].know(key, facts)
        return fact

    def next_position(self, budget: str) -> int:
        """Return the position that the budget's next event will take."""
        return self._positions[budget] + 1

    def line(self, path: tuple[str, ...]) -> Cell | None:
        """Return the deepest existing cell on a line's path. Refuses `unknown-line`.

        Where the policy lets this action open lines, a path without any cell gives None.
        """
        for depth in range(len(path), 0, -1):
            cell = self.own.get(("line", path[:depth]))
            if cell is not None:
                return cell
        if self.command.action in (self.policy("lines-opened-by") or ()):
            return None
        raise Refuse("unknown-line", f"the budget has no line {' / '.join(path)}",
                     rule="B4", law="K25 14", line=" / ".join(path))

    def sign(self, path: tuple[str, ...]) -> int:
        """Return -1 for a contra line or a line below one, else 1."""
        for depth in range(len(path), 0, -1):
            cell = self.own.get(("line", path[:depth]))
            if cell is not None and cell.facts.get("contra"):
                return -1
        return 1

    def require(self, condition: object, code: str, message: str, rule: str, law: str = "",
                **figures: Any) -> None:  # fmt: skip
        """Refuse unless the condition holds."""
        if not condition:
            raise Refuse(code, message, rule=rule, law=law, **figures)


def decide(
    states: Mapping[str, BudgetState], command: Command, rules: Rules, recorded_at: int
) -> Decision:
    """Decide one command against the cells of its budgets. Raises `Missing` for unloaded cells."""
    case = Case(states, command, rules, recorded_at)
    try:
        _check_common(case)
        deque(command.decide(case), maxlen=0)
        broken, flags = _check_limits(case)
    except Refuse as verdict:
        return _refused(case, verdict.refusal)
    if broken:
        return _refused(case, _limit_refusal(case, broken))
    events = case.events
    events[0] = with_flags(events[0], flags)
    return Decision(command=command, events=events, overlays=case.overlays,
                    guards=_guards(case))


def _refused(case: Case, refusal: Refusal) -> Decision:
    """Turn a refusal into its stored event."""
    state = case.states[case.command.budget]
    fact = CommandRefused(
        originator_id=state.code,
        originator_version=state.position + 1,
        command_id=case.command.command_id,
        recorded_at=case.recorded_at,
        rules_at=case.rules.position,
        command=command_document(case.command),
        refusal=refusal,
    )
    return Decision(command=case.command, events=[fact], refusal=refusal)


def _check_common(case: Case) -> None:
    """Check what every command must fulfil: stage, dates, authority, classification."""
    command = case.command
    if case.rules.adopted is None:
        case.require(command.name == "AdoptJurisdiction", "no-jurisdiction",
                     "the ledger has no jurisdiction yet", rule="A18")
        return
    _check_stage(case)
    _check_dates(case)
    check_authority(case.jurisdiction, action=command.action, capacity=command.actor.capacity,
                    level=case.level, on=command.adopted)
    if command.reason_required:
        case.require(command.reason, "reason-missing", f"{command.name} needs a reason",
                     rule="I30", law="K25 121")
    for path in command.named_lines():
        case.rules.classification.check(path, command.effective, case.jurisdiction)


def _check_stage(case: Case) -> None:
    """Check that the budget stands at a stage in which the command is possible (I4)."""
    stages = getattr(case.command, "stages", ("approved",))
    stage = case.facts.get("stage", "rulebook" if case.command.budget == RULEBOOK else "none")
    if stage == "opened" and "approved" in stages and (
        case.rules.policy("approval-required", case.level, case.command.effective) or _YES
    ).value == "no":
        return
    case.require(stage in stages, "wrong-stage",
                 f"the budget is {stage}, the command needs {' or '.join(stages)}",
                 rule="I4", stage=stage)


@dataclass(frozen=True)
class _Default:
    """A policy's value where none is declared."""

    value: str = "yes"


_YES = _Default()


def _check_dates(case: Case) -> None:
    """Check the four dates against each other, the fiscal year and the ledger's day."""
    command, today = case.command, case.today
    case.require(today <= case.ledger_day, "source-in-future",
                 f"the source is dated {today}, the ledger's day is {case.ledger_day}",
                 rule="B1", today=case.ledger_day)
    case.require(command.adopted <= today, "adopted-in-future",
                 f"adopted on {command.adopted}, today is {today}", rule="B1",
                 adopted_on=command.adopted, today=today)
    case.require(command.act.date <= command.adopted, "dates-out-of-order",
                 f"the act is dated {command.act.date}, after its adoption on {command.adopted}",
                 rule="B1", act_date=command.act.date, adopted_on=command.adopted)
    value_date = getattr(command, "value_date", None)
    if value_date:
        case.require(value_date <= today, "value-date-in-future",
                     f"the money moves on {value_date}, today is {today}", rule="B6",
                     value_date=value_date, today=today)
    if "year" in case.facts and not getattr(command, "timeless", False):
        year = case.year
        case.require(command.effective in year, "outside-fiscal-year",
                     f"{command.effective} is not within {year.start} to {year.end}",
                     rule="B1", law="K25 101", effective=command.effective)
        case.require(today <= year.end, "year-closed",
                     f"the year ended on {year.end}, today is {today}", rule="I5",
                     law="K25 115", today=today, year_end=year.end)


def _check_limits(case: Case) -> tuple[list[BrokenLimit], tuple[str, ...]]:
    """Check every limit of every touched cell; return what stops and what warns."""
    stops: list[BrokenLimit] = []
    warns: list[str] = []
    for limit in LIMITS:
        for overlay in case.overlays.values():
            for key, since in overlay.since.items():
                if key[0] not in limit.kinds or not applies(overlay, key, limit, case):
                    continue
                mode, found = _check_limit(case, overlay, key, limit, since)
                if found is not None:
                    stops.append(found)
                elif mode == "warn" and limit.name not in warns:
                    warns.append(limit.name)
    return stops, tuple(warns)


def _check_limit(
    case: Case, overlay: Overlay, key: Key, limit: Limit, since: int
) -> tuple[str, BrokenLimit | None]:
    """Return "stop" with the first day that breaks, "warn" where that is all, else "off".

    Each day is judged by the control in force on it. Only a day on which the command took room
    counts: a limit exceeded under an earlier warning does not block what does not make it worse.
    """
    hardest = "off"
    after, before = overlay.changed[key], overlay.base.cells.get(key)
    if limit.use in after.measures and (before is None or limit.cap not in before.measures):
        since = min(since, after.measures[limit.use].days[0])
    for day, left in shortfalls(after, limit, since):
        mode, tolerance = _mode(case, overlay, limit, day)
        if mode == "off" or left >= -tolerance:
            continue
        had = 0
        if before is not None and (
            limit.cap in before.measures or applies(overlay.base, key, limit, case)
        ):
            had = room(before, limit, day)
        if left >= had:
            continue
        if mode == "stop":
            return mode, broken_limit(key, limit, day, had, left)
        hardest = "warn"
    return hardest, None


def _mode(case: Case, overlay: Overlay, limit: Limit, day: int) -> tuple[str, int]:
    """Return how hard a limit is for a budget on a day."""
    if limit.name in ALWAYS:
        return "stop", 0
    cell = overlay.get(BUDGET)
    level = int(cell.facts.get("level", 0)) if cell else 0
    control = case.rules.control(limit.name, level, date.fromordinal(day))
    return control.mode, control.tolerance_minor


def applies(cells: Overlay | BudgetState, key: Key, limit: Limit, case: Case) -> bool:
    """Tell whether a limit concerns a cell.

    A line's limit applies where the cap's figure stands at or below the line; where no cell of
    the path has the figure it applies to the deepest one, with a cap of zero. Receipts have no
    caps and contra lines are mirrored, so neither is limited.
    """
    cell = cells.get(key)
    if cell is None:
        return False
    if key[0] == "budget" and limit.name == "plan-balance":
        return "plan_receipts" in cell.measures
    if key[0] != "line":
        return limit.cap in cell.measures or limit.use in cell.measures
    section = case.jurisdiction.section(key[1][0])
    if section is None or cell.facts.get("contra"):
        return False
    if section.side != "spending" and limit.name not in ALWAYS:
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
    below = any(c.key[1][: len(path)] == path and c.key != key and limit.use in c.measures
                for c in cells.lines())
    return not below


GUARDS = {"cash": 1, "special-account": 1, "payments-plan": 2, "unused-registration": 4,
          "commitments-plan": 8, "appropriation": 16, "plan-balance": 32}  # fmt: skip
"""The bit of each limit that the database guards again with a CHECK on end-of-line figures."""


def _guards(case: Case) -> dict[tuple[str, Key], tuple[int, int]]:
    """Return for every changed cell which CHECKs must hold from now on, and the tolerance.

    A limit is guarded where it stops and holds: a figure left above its cap by an earlier
    warning must not block what does not make it worse.
    """
    found = {}
    for code, overlay in case.overlays.items():
        budget = overlay.get(BUDGET)
        level = int(budget.facts.get("level", 0)) if budget else 0
        for key, cell in overlay.changed.items():
            bits = slack = 0
            broken = set()
            for limit in LIMITS:
                bit = GUARDS.get(limit.name, 0)
                if not bit or key[0] not in limit.kinds or limit.cap not in cell.measures:
                    continue
                control = case.rules.control(limit.name, level, case.command.effective)
                if control.mode != "stop" or not applies(overlay, key, limit, case):
                    continue
                used = cell.total(limit.use) if limit.use else 0
                if used > cell.total(limit.cap) + control.tolerance_minor:
                    broken.add(bit)
                bits |= bit
                slack = max(slack, control.tolerance_minor)
            for bit in broken:
                bits &= ~bit
            found[code, key] = (bits, slack)
    return found


def _limit_refusal(case: Case, broken: list[BrokenLimit]) -> Refusal:
    """Name every limit that fails with its figures; the first gives the refusal's code."""
    first = broken[0]
    control = case.rules.control(first.limit, case.level, date.fromisoformat(first.day))
    return Refusal(
        code="limit-exceeded",
        message=f"{first.limit} of {first.subject} would break on {first.day}",
        rule=RULES_OF_LIMITS.get(first.limit, "I7"),
        law=control.law,
        figures=(("limit", first.limit),),
        limits=tuple(broken),
    )


RULES_OF_LIMITS = {
    "cash": "I7", "payments-plan": "I7", "unused-registration": "I7", "commitments-plan": "I7",
    "plan-balance": "I6", "appropriation": "I12", "special-account": "I22",
    "plan-below-zero": "B6", "figure-below-zero": "I27", "payment-remaining": "I28",
}  # fmt: skip
