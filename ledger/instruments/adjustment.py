"""Adjustment by the executive (түзету, корректировка): reallocation and other bases.

Law: K25 98; I14: at most 15 per cent (rural 20) of the donor programme's amended amount,
cumulative in the year, within one section. The legislature's figure stays; the adjusted moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ledger.balance import check_nesting
from ledger.cells import Key
from ledger.errors import Refuse
from ledger.events import Command, Event, Movement, command, event
from ledger.planning import change_plans
from ledger.terms import Change, Day, LineChange, LinePlan, Path

LAW = "K25 98"


@command("AdjustBudget", action="adjust", reason=True)
@dataclass(frozen=True, kw_only=True)
class AdjustBudget(Command):
    """Change adjusted amounts of lines; a reallocation sums to zero in each section."""

    effective_from: Day
    lines: tuple[LineChange, ...]
    plans: tuple[LinePlan, ...] = ()
    plans_effective_from: Day | None = None
    basis: Literal["reallocation", "distribution", "reserve", "transfer", "other"] = "reallocation"

    def decide(self, case: Any) -> Iterator[Event]:
        """Adjust distinct, known lines within the limits of a reallocation."""
        paths = [part.line for part in self.lines]
        case.require(paths, "empty-document", "the adjustment has no lines", rule="I2")
        case.require(
            len(set(paths)) == len(paths), "duplicate-line", "a line stands twice", rule="I2"
        )
        for path in paths:
            case.line(path)
        figures = {cell.key[1] for cell in case.own.lines() if cell.facts.get("figure")}
        check_nesting(dict.fromkeys((*figures, *paths), 0))
        _check_contra(case, self.lines)
        if self.basis == "reallocation":
            check_reallocation(case, self.lines)
        elif self.basis in (case.policy("adjustment-keeps-total") or ()):
            check_totals(self.lines, "adjustment-changes-total")
        check_balance(case, self.lines)
        away = given(case, self.lines) if self.basis == "reallocation" else {}
        yield case.emit(BudgetAdjusted)
        for part in self.lines:
            yield case.emit(
                LineAdjusted, line=part.line, change_minor=part.change_minor,
                effective_from=self.effective_from, adopted_on=self.adopted,
                given_minor=away.get(part.line, 0),
                contra=part.contra,
            )  # fmt: skip
        effective = self.plans_effective_from or self.effective_from
        yield from change_plans(case, self.plans, effective)


def given(case: Any, lines: tuple[LineChange, ...]) -> dict[tuple[str, ...], int]:
    """Return what each line has given away in the year, this document included.

    A programme gives what its lines lose together; a move inside it gives nothing away.
    """
    net: dict[tuple[str, ...], int] = {}
    for part in lines:
        programme = programme_of(case, part.line)
        net[programme] = net.get(programme, 0) - part.change_minor
    found = {}
    for part in lines:
        programme = programme_of(case, part.line)
        cell = case.own.get(("line", part.line))
        share = min(max(0, -part.change_minor), max(0, net[programme]))
        net[programme] -= share
        found[part.line] = share + (int(cell.facts.get("given_minor", 0)) if cell else 0)
    return found


def check_balance(case: Any, lines: tuple[LineChange, ...]) -> None:
    """Refuse an adjustment after which the adjusted budget is financed otherwise (I1).

    Asked where the budget has both receipts and spending; a budget of one side has no balance.
    """
    sections = {
        name: case.jurisdiction.section(name)
        for name in {cell.key[1][0] for cell in case.own.lines()} | {p.line[0] for p in lines}
    }
    if len({section.side for section in sections.values()}) < 2:  # noqa: PLR2004 - two sides
        return
    total = sum((sections[p.line[0]].identity + sections[p.line[0]].financing) * p.change_minor
                for p in lines)  # fmt: skip
    case.require(
        total == 0,
        "balance-identity",
        "the adjustment changes I - II - III - IV + VI",
        rule="I1",
        law="K25 9",
        change_minor=total,
    )


def check_reallocation(case: Any, lines: tuple[LineChange, ...]) -> None:
    """Refuse a reallocation that changes a section's total or takes too much of a programme."""
    for part in lines:
        section = case.jurisdiction.section(part.line[0])
        case.require(
            section.side == "spending",
            "wrong-section",
            "only spending is reallocated",
            rule="I14",
            line=" / ".join(part.line),
        )
    check_totals(lines, "reallocation-not-zero")
    most = case.policy("reallocation-max-bps")
    if most is None:
        return
    for programme in sorted({programme_of(case, p.line) for p in lines if p.change_minor < 0}):
        _check_donor(case, programme, lines, int(most))


def check_totals(lines: tuple[LineChange, ...], code: str) -> None:
    """Refuse changes that do not sum to zero in each section (I14)."""
    sums: dict[str, int] = {}
    for part in lines:
        sums[part.line[0]] = sums.get(part.line[0], 0) + part.change_minor
    for section, total in sums.items():
        if total:
            raise Refuse(
                code,
                f"the adjustment changes the total of {section}",
                rule="I14",
                law=LAW,
                section=section,
                total_minor=total,
            )


def _check_contra(case: Any, lines: tuple[LineChange, ...]) -> None:
    """Refuse to turn a line that has a figure already into a contra line."""
    for part in lines:
        cell = case.own.get(("line", part.line))
        case.require(
            not part.contra or cell is None or not cell.facts.get("figure")
            or cell.facts.get("contra"), "contra-changed",
            f"{' / '.join(part.line)} is no contra line", rule="I27", line=" / ".join(part.line),
        )  # fmt: skip


def programme_of(case: Any, line: tuple[str, ...]) -> tuple[str, ...]:
    """Return the line's path down to the dimension "programme"."""
    section = case.jurisdiction.section(line[0])
    names = [dimension.name for dimension in section.dimensions]
    depth = names.index("programme") + 2 if "programme" in names else len(line)
    return line[:depth]


def _check_donor(
    case: Any, programme: tuple[str, ...], lines: tuple[LineChange, ...], most: int
) -> None:
    """Refuse when one programme gives away more than its share of the amended amount."""
    net = sum(part.change_minor for part in lines if part.line[: len(programme)] == programme)
    if net >= 0:
        return
    taken = -net
    amended = 0
    for cell in case.own.lines():
        if cell.key[1][: len(programme)] == programme and cell.facts.get("figure"):
            taken += int(cell.facts.get("given_minor", 0))
            amended += cell.total("amended")
    if taken * 10_000 > most * amended:
        raise Refuse(
            "reallocation-above-share",
            f"{' / '.join(programme)} would give more than {most / 100:g} % of its amended amount",
            rule="I14",
            law=LAW,
            line=" / ".join(programme),
            taken_minor=taken,
            amended_minor=amended,
            limit_bps=most,
        )


@event(
    "budget.adjusted",
    example={
        "command": {
            "name": "AdjustBudget",
            "effective_from": "2025-03-06",
            "reason": "slow start of P",
            "basis": "reallocation",
            "lines": [
                {"line": ["expenditure", "01"], "change_minor": -10000},
                {"line": ["expenditure", "02"], "change_minor": 10000},
            ],
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class BudgetAdjusted(Event):
    """The executive adjusted the budget (скорректированный бюджет); its lines follow."""

    command: AdjustBudget


@event(
    "budget.line.adjusted",
    example={
        "line": ["expenditure", "01"],
        "change_minor": -10000,
        "given_minor": 10000,
        "effective_from": "2025-03-06",
        "adopted_on": "2025-03-06",
    },
)
@dataclass(frozen=True, kw_only=True)
class LineAdjusted(Event):
    """One line's adjusted amount changed; `given_minor` is what it gave away in the year."""

    line: Path
    change_minor: Change
    given_minor: int = 0
    effective_from: Day
    adopted_on: Day
    contra: bool = False

    def movement(self) -> Movement:
        """Change the adjusted figure."""
        return Movement(
            effective_from=self.effective_from,
            adopted_on=self.adopted_on,
            line=self.line,
            amounts={"adjusted": self.change_minor},
        )

    def facts(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Remember the figure and what was given away."""
        given_away = {"given_minor": self.given_minor} if self.given_minor else {}
        contra = {"contra": True} if self.contra else {}
        yield ("line", self.line), {"figure": True, **given_away, **contra}
