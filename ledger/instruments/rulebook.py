"""The rulebook: the jurisdiction and the versions of the budget classification.

Its log decides like any other; its events are folded into `Rules`. Law: K25 10 (classification),
A18 (one rulebook version in force per date).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from ledger.classification import Classifier
from ledger.errors import Invalid, Refuse
from ledger.events import RULEBOOK, Command, Event, command, event
from ledger.jurisdiction import Jurisdiction, read_jurisdiction
from ledger.money import MAX_MINOR
from ledger.rules import Rules
from ledger.terms import STRICT, Day, Name, Path, Text, clean


@dataclass(frozen=True, kw_only=True)
class ClassifierCode:
    """One code of a classifier version: its path from the section on, and its title."""

    __pydantic_config__ = STRICT
    line: Path
    title: Text


NESTING_MAX = 8
"""Deepest nesting of a jurisdiction document."""
MODES = ("stop", "warn", "off")
SIDES = ("receipts", "spending")


def _plain_json(document: dict[str, Any]) -> dict[str, Any]:
    """Refuse what the canonical body cannot hold: floats, wide integers, deep nesting."""
    waiting: list[tuple[Any, int]] = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > NESTING_MAX:
            msg = f"the document is nested deeper than {NESTING_MAX}"
            raise ValueError(msg)
        if isinstance(value, dict):
            waiting += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, (list, tuple)):
            waiting += [(part, depth + 1) for part in value]
        elif isinstance(value, str):
            clean(value)
        elif value is not None and not (isinstance(value, int) and abs(value) <= MAX_MINOR):
            msg = "a jurisdiction holds texts, whole numbers below 2^53, lists and tables only"
            raise ValueError(msg)
    return document


Document = Annotated[dict[str, Any], AfterValidator(_plain_json)]


@command("AdoptJurisdiction", action="rule")
@dataclass(frozen=True, kw_only=True)
class AdoptJurisdiction(Command):
    """Set the ledger's jurisdiction; a later one replaces it for later decisions."""

    stages = ("rulebook",)
    jurisdiction: Document
    effective_from: Day

    def decide(self, case: Any) -> Iterator[Event]:
        """Adopt a readable jurisdiction of the same currency."""
        _require_rulebook(self)
        try:
            read = read_jurisdiction(self.jurisdiction)
        except Invalid as error:
            raise Refuse(
                "invalid-jurisdiction",
                error.message,
                rule="A18",
                places=error.details.get("errors"),
            ) from None
        problems = list(_problems(read))
        case.require(not problems, "invalid-jurisdiction", "; ".join(problems), rule="A18")
        before = case.rules.adopted
        case.require(
            before is None or (before.currency, before.minor_digits) ==
            (read.currency, read.minor_digits),
            "currency-fixed", "a ledger keeps its currency", rule="A6",
        )  # fmt: skip
        yield case.emit(JurisdictionAdopted)


def _problems(read: Jurisdiction) -> Iterator[str]:
    """Name what would make later decisions fail: the rulebook has no undo."""
    try:
        ZoneInfo(read.timezone)
    except (KeyError, ValueError, OSError):
        yield f"timezone {read.timezone!r} is not known"
    if not _is_anniversary(read.year_starts):
        yield f"year_starts {read.year_starts!r} is not a day MM-DD of every year"
    names = [section.name for section in read.sections]
    if len(names) != len(set(names)):
        yield "a section stands twice"
    yield from (f"section {section.name} is neither of receipts nor of spending"
                for section in read.sections if section.side not in SIDES)  # fmt: skip
    yield from (f"control {control.control} has the mode {control.mode!r}"
                for control in read.controls
                if control.mode not in MODES or control.tolerance_minor < 0)  # fmt: skip
    for policy in read.policies:
        shape = POLICY_SHAPES.get(policy.policy)
        if shape is not None and not shape(policy.value):
            yield f"policy {policy.policy} has the value {policy.value!r}"


def _is_anniversary(value: Any) -> bool:
    """Tell whether a value is a day "MM-DD" that exists in every year."""
    try:
        return isinstance(value, str) and len(date.fromisoformat(f"2025-{value}").isoformat()) > 0
    except ValueError:
        return False


def _is_names(value: Any) -> bool:
    """Tell whether a value is a list of names."""
    return isinstance(value, tuple)


def _is_share(value: Any) -> bool:
    """Tell whether a value is a share in basis points."""
    return isinstance(value, int) and 0 <= value <= 10_000  # noqa: PLR2004 - the whole


def _is_choice(value: Any) -> bool:
    """Tell whether a value is "yes" or "no"."""
    return value in ("yes", "no")


POLICY_SHAPES: dict[str, Callable[[Any], bool]] = {
    "registration-closes": _is_anniversary,
    "executive-sequestration-below-bps": _is_share,
    "reallocation-max-bps": _is_share,
    "lines-opened-by": _is_names,
    "adjustment-keeps-total": _is_names,
    "exempt-administrators": _is_names,
    "registration-required": _is_choice,
    "approval-required": _is_choice,
    "transfers-between-adjacent-levels": _is_choice,
}
"""What the policies that instruments read must look like."""


@event(
    "rulebook.jurisdiction.adopted",
    example={
        "command": {
            "name": "AdoptJurisdiction",
            "effective_from": "2025-01-01",
            "jurisdiction": {
                "code": "KZ",
                "title": "Kazakhstan",
                "currency": "KZT",
                "minor_digits": 2,
                "timezone": "Asia/Almaty",
                "year_starts": "01-01",
                "levels": [],
                "sections": [],
            },
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class JurisdictionAdopted(Event):
    """The jurisdiction was adopted."""

    command: AdoptJurisdiction

    def amend_rules(self, rules: Rules) -> Rules:
        """Put the jurisdiction into the rules."""
        return rules.with_jurisdiction(read_jurisdiction(self.command.jurisdiction))


@command("PublishClassifier", action="rule")
@dataclass(frozen=True, kw_only=True)
class PublishClassifier(Command):
    """Publish code lists that hold from a day (to a day); they speak for the depths they list."""

    stages = ("rulebook",)
    title: Name
    effective_from: Day
    effective_until: Day | None = None
    codes: tuple[ClassifierCode, ...]

    def decide(self, case: Any) -> Iterator[Event]:
        """Publish lists of known sections, each code once."""
        _require_rulebook(self)
        case.require(self.codes, "empty-document", "the version has no codes", rule="B3")
        case.require(
            self.effective_until is None or self.effective_from <= self.effective_until,
            "dates-out-of-order",
            "the version ends before it starts",
            rule="B3",
        )
        sections = {section.name for section in case.jurisdiction.sections}
        unknown = sorted({code.line[0] for code in self.codes} - sections)
        case.require(
            not unknown, "unknown-section", f"unknown sections: {', '.join(unknown)}", rule="B3"
        )
        paths = [code.line for code in self.codes]
        case.require(
            len(paths) == len(set(paths)), "duplicate-line", "a code stands twice", rule="B3"
        )
        yield case.emit(ClassifierVersionPublished)


@event(
    "rulebook.classifier.published",
    example={
        "command": {
            "name": "PublishClassifier",
            "title": "receipts 2026",
            "effective_from": "2026-01-01",
            "codes": [{"line": ["revenue", "5"], "title": "Поступления трансфертов"}],
        }
    },
)
@dataclass(frozen=True, kw_only=True)
class ClassifierVersionPublished(Event):
    """A version of the classification was published (ББС / ЕБК)."""

    command: PublishClassifier

    def amend_rules(self, rules: Rules) -> Rules:
        """Put the version into the rules."""
        asked = self.command
        titles = {code.line: code.title for code in asked.codes}
        return rules.with_classifier(
            Classifier(asked.title, asked.effective_from, asked.effective_until, titles)
        )


def _require_rulebook(asked: Command) -> None:
    """Refuse a rulebook command on a budget."""
    if asked.budget != RULEBOOK:
        raise Refuse("wrong-stage", f"{asked.name} belongs to the rulebook", rule="A18")
