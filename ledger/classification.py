"""Budget classification: codes by date of validity, with names.

A dimension whose code list is loaded for a date checks membership; without a list it checks
form (width in digits). On 1 January 2026 receipts category 4 changed its meaning, so a code
means nothing without a date (spec B3, I26).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from ledger.errors import Refuse
from ledger.jurisdiction import Jurisdiction, Section

LAW = "K25 10; order of the Minister of Finance of 4 Apr 2025 No 151"


@dataclass(frozen=True)
class Classifier:
    """One published version: codes as paths with their titles, in force between two days."""

    name: str
    effective_from: date
    effective_until: date | None
    titles: Mapping[tuple[str, ...], str]

    @cached_property
    def lists(self) -> frozenset[tuple[str, int]]:
        """Return which (section, depth) code lists this version gives."""
        return frozenset((path[0], len(path)) for path in self.titles)


@dataclass(frozen=True)
class Classification:
    """All published versions, ordered by their first day, then by publication.

    The last of them that covers a day and a list speaks for it: correcting an older version
    does not displace a newer one.
    """

    versions: tuple[Classifier, ...] = ()

    def published(self, version: Classifier) -> Classification:
        """Return the classification with one more version."""
        versions = (*self.versions, version)
        return Classification(tuple(sorted(versions, key=lambda v: v.effective_from)))

    def in_force(self, on: date) -> Iterable[Classifier]:
        """Yield the versions in force on a day, the latest first."""
        for version in reversed(self.versions):
            if version.effective_from <= on and (
                version.effective_until is None or on <= version.effective_until
            ):
                yield version

    def title(self, path: tuple[str, ...], on: date) -> str | None:
        """Return what a code means on a day, or None where no list names it."""
        for version in self.in_force(on):
            if (path[0], len(path)) in version.lists:
                return version.titles.get(path)
        return None

    def check(self, path: tuple[str, ...], on: date, jurisdiction: Jurisdiction) -> Section:
        """Refuse a line whose section, form or membership is wrong on the effective day."""
        section = jurisdiction.section(path[0])
        if section is None:
            known = ", ".join(s.name for s in jurisdiction.sections)
            raise Refuse(
                "unknown-section",
                f"{path[0]} is none of: {known}",
                rule="I26",
                law=LAW,
                section=path[0],
            )
        if len(path) - 1 > len(section.dimensions):
            raise Refuse(
                "unknown-code",
                f"{section.name} has {len(section.dimensions)} levels of "
                f"codes, the line has {len(path) - 1}",
                rule="I26",
                law=LAW,
                line=" / ".join(path),
            )
        for depth, code in enumerate(path[1:], start=1):
            self._check_code(path[: depth + 1], code, section, on)
        return section

    def _check_code(self, prefix: tuple[str, ...], code: str, section: Section, on: date) -> None:
        """Check one code's form and, where a list is loaded for the day, its membership."""
        dimension = section.dimensions[len(prefix) - 2]
        if dimension.width and not (
            len(code) == dimension.width and code.isascii() and code.isdigit()
        ):
            raise Refuse(
                "unknown-code",
                f"{dimension.name} is {dimension.width} digit(s), not {code!r}",
                rule="I26",
                law=LAW,
                line=" / ".join(prefix),
            )
        place = (section.name, len(prefix))
        for version in self.in_force(on):
            if place in version.lists:
                if prefix not in version.titles:
                    self._refuse_code(prefix, on, version)
                return

    def _refuse_code(self, prefix: tuple[str, ...], on: date, version: Classifier) -> None:
        """Refuse a code that the list in force does not hold, telling an expired one apart."""
        other = [v for v in self.versions if prefix in v.titles]
        code = "code-not-in-force" if other else "unknown-code"
        when = "; ".join(
            f"{v.name}: from {v.effective_from} to {v.effective_until or 'now'}" for v in other
        )
        raise Refuse(
            code,
            f"{' / '.join(prefix)} is not in the classification in force on {on}"
            + (f" (it was in {when})" if when else ""),
            rule="I26",
            law=LAW,
            line=" / ".join(prefix),
            on=on,
            classifier=version.name,
        )
