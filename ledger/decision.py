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
from ledger.cells import BUDGET, BudgetState, Cell, Key, Overlay
from ledger.dates import FiscalYear, local_day
from ledger.errors import BrokenLimit, Refusal, Refuse
from ledger.events import (
    RULEBOOK,
    Command,
    CommandRefused,
    Event,
    Movement,
    command_document,
    with_flags,
)
from ledger.jurisdiction import Jurisdiction
from ledger.limits import check_limits, guards
from ledger.rules import Rules


@dataclass(kw_only=True)
class Decision:
    """The events that follow from one command and the cells as they stand after them."""

    command: Command
    events: list[Event]
    movements: list[Movement]
    overlays: dict[str, Overlay] = field(default_factory=dict)
    refusal: Refusal | None = None
    guards: dict[str, dict[Key, tuple[int, int]]] = field(default_factory=dict)


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
        self.movements: list[Movement] = []
        self._facts: Mapping[str, Any] | None = None
        self._positions = {code: state.position for code, state in states.items()}
        if rules.adopted is not None:
            self.jurisdiction = rules.adopted
            self.ledger_day = local_day(recorded_at, rules.adopted.timezone)
            self.today = command.source.recorded_on if command.source else self.ledger_day

    jurisdiction: Jurisdiction
    """The jurisdiction in force for this decision; nothing is asked before one is adopted."""
    ledger_day: date
    """The day of `recorded_at` in the jurisdiction's time zone."""
    today: date
    """The ledger's own day, or the source's for declared imported history (design §9.10)."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts of the budget itself: level, year, region, stage."""
        found = self._facts
        if found is None:
            own = self.own
            cell = own.changed.get(BUDGET) or own.base.cells.get(BUDGET)
            found = self._facts = cell.facts if cell else {}
        return found

    @property
    def level(self) -> int:
        """Level of the budget; 0 for the rulebook."""
        return int(self.facts.get("level", 0))

    @property
    def year(self) -> FiscalYear:
        """The budget's fiscal year."""
        return self.jurisdiction.fiscal_year(int(self.facts["year"]))

    def policy(self, name: str, on: date | None = None) -> Any:
        """Return the value of a dated policy at this level, or None."""
        found = self.rules.policy(name, self.level, on or self.command.effective)
        return found.value if found else None

    def emit(self, cls: type[Event], budget: str | None = None, **fields: Any) -> Event:
        """Add an event: the first one carries the whole command; cells change at once."""
        code = budget or self.command.budget
        position = self._positions[code] = self._positions[code] + 1
        if code == self.command.budget and position == self.states[code].position + 1:
            fields["command"] = self.command
        fact = cls(
            originator_id=code,
            originator_version=position,
            command_id=self.command.command_id,
            recorded_at=self.recorded_at,
            rules_at=self.rules.position,
            **fields,
        )
        self.events.append(fact)
        self.movements.append(self.overlays[code].evolve(fact))
        self._facts = None
        return fact

    def next_position(self, budget: str) -> int:
        """Return the position that the budget's next event will take."""
        return self._positions[budget] + 1

    def line(self, path: tuple[str, ...]) -> Cell | None:
        """Return the deepest existing cell on a line's path. Refuses `unknown-line`.

        Where the policy lets this action open lines, a path without any cell gives None.
        """
        found = self.own.path(path)
        if found:
            return self.own.get(found[-1])
        if self.command.action in (self.policy("lines-opened-by") or ()):
            return None
        raise Refuse(
            "unknown-line",
            f"the budget has no line {' / '.join(path)}",
            rule="B4",
            law="K25 14",
            line=" / ".join(path),
        )

    def contract(self, contract: str) -> Cell:
        """Return a registered contract. Refuses `unknown-contract`, `contract-closed`."""
        cell: Cell | None = self.own.get(("contract", contract))
        if cell is None:
            raise Refuse("unknown-contract", f"no contract {contract} is registered", rule="I7",
                         law="K25 109", contract=contract)  # fmt: skip
        if cell.facts["status"] != "registered":
            raise Refuse("contract-closed", f"contract {contract} is {cell.facts['status']}",
                         rule="I7", law="K25 109", contract=contract)  # fmt: skip
        return cell

    def sign(self, path: tuple[str, ...]) -> int:
        """Return -1 for a contra line or a line below one, else 1."""
        for key in self.own.path(path):
            cell = self.own.get(key)
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
        broken, flags = check_limits(case.overlays, case.rules)
    except Refuse as verdict:
        return _refused(case, verdict.refusal)
    if broken:
        return _refused(case, _limit_refusal(case, broken))
    events = case.events
    events[0] = with_flags(events[0], flags)
    return Decision(
        command=command,
        events=events,
        movements=case.movements,
        overlays=case.overlays,
        guards=guards(case.overlays, case.rules, command.effective),
    )


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
    return Decision(command=case.command, events=[fact], movements=[fact.movement()],
                    refusal=refusal)  # fmt: skip


def _check_common(case: Case) -> None:
    """Check what every command must fulfil: stage, dates, authority, classification."""
    command = case.command
    if case.rules.adopted is None:
        case.require(
            command.name == "AdoptJurisdiction",
            "no-jurisdiction",
            "the ledger has no jurisdiction yet",
            rule="A18",
        )
        return
    _check_stage(case)
    _check_dates(case)
    check_authority(
        case.jurisdiction,
        action=command.action,
        capacity=command.actor.capacity,
        level=case.level,
        on=command.adopted,
    )
    if command.reason_required:
        case.require(
            command.reason,
            "reason-missing",
            f"{command.name} needs a reason",
            rule="I30",
            law="K25 121",
        )
    for path in command.named_lines():
        case.rules.check_line(path, command.effective)


def _check_stage(case: Case) -> None:
    """Check that the budget stands at a stage in which the command is possible (I4)."""
    stages = getattr(case.command, "stages", ("approved",))
    stage = case.facts.get("stage", "rulebook" if case.command.budget == RULEBOOK else "none")
    if (
        stage == "opened"
        and "approved" in stages
        and (
            case.rules.policy("approval-required", case.level, case.command.effective) or _YES
        ).value
        == "no"
    ):
        return
    if stage not in stages:
        raise Refuse(
            "wrong-stage",
            f"the budget is {stage}, the command needs {' or '.join(stages)}",
            rule="I4",
            stage=stage,
        )


@dataclass(frozen=True)
class _Default:
    """A policy's value where none is declared."""

    value: str = "yes"


_YES = _Default()


def _check_dates(case: Case) -> None:
    """Check the four dates against each other, the fiscal year and the ledger's day."""
    command, today, ledger_day = case.command, case.today, case.ledger_day
    adopted, effective, facts = command.adopted, command.effective, case.facts
    if today > ledger_day:
        raise Refuse(
            "source-in-future",
            f"the source is dated {today}, the ledger's day is {ledger_day}",
            rule="B1",
            today=ledger_day,
        )
    if adopted > today:
        raise Refuse(
            "adopted-in-future",
            f"adopted on {adopted}, today is {today}",
            rule="B1",
            adopted_on=adopted,
            today=today,
        )
    if command.act.date > adopted:
        raise Refuse(
            "dates-out-of-order",
            f"the act is dated {command.act.date}, after its adoption on {adopted}",
            rule="B1",
            act_date=command.act.date,
            adopted_on=adopted,
        )
    value_date = getattr(command, "value_date", None)
    if command.not_ahead:
        value_date = effective
    if value_date and value_date > today:
        raise Refuse(
            "value-date-in-future",
            f"it happens on {value_date}, today is {today}",
            rule="B6",
            value_date=value_date,
            today=today,
        )
    if "year" in facts and not getattr(command, "timeless", False):
        year = case.year
        if effective not in year:
            raise Refuse(
                "outside-fiscal-year",
                f"{effective} is not within {year.start} to {year.end}",
                rule="B1",
                law="K25 101",
                effective=effective,
            )
        if today > year.end:
            raise Refuse(
                "year-closed",
                f"the year ended on {year.end}, today is {today}",
                rule="I5",
                law="K25 115",
                today=today,
                year_end=year.end,
            )


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
