"""Sums by effective day, and what happens when a decision needs days that are not loaded.

A timeline's older days stand apart, so that what a posting reads, writes and keeps in memory does
not grow with the year. Everything here is immutable and pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

RECENT_MAX, RECENT = 6, 3
"""With so many days before the one that changes, all but so many of them are cut off."""
PAST = "past"
"""Kind of the key under which a decision asks for the older days of a cell: (PAST, key)."""


class Missing(Exception):
    """Raised when a decision needs what is not loaded; the store loads it and retries."""

    def __init__(self, code: str, key: tuple[str, Any] | None) -> None:
        """Name the budget and the cell, (PAST, key) for its past (None = all lines)."""
        super().__init__(code, key)
        self.code = code
        self.key = key


class Unloaded(NamedTuple):
    """Older days that are stored, but not loaded."""

    code: str
    key: tuple[str, Any]


class Timeline:
    """Sums of one measure by effective day: `days` ascending ordinals, `sums` cumulative.

    Days long before the newest change, all older than `days`, are cut off into a timeline of
    their own, `past`, and that again: each is stored once. Who needs them unloaded gets `Missing`.
    """

    __slots__ = ("days", "past", "sums")

    def __init__(
        self,
        days: tuple[int, ...] = (),
        sums: tuple[int, ...] = (),
        past: Timeline | Unloaded | None = None,
    ) -> None:
        """Take ascending day ordinals and the cumulative sum from each day on."""
        self.days = days
        self.sums = sums
        self.past = past

    @property
    def total(self) -> int:
        """Sum over the whole year."""
        return self.sums[-1] if self.sums else 0

    @property
    def last_day(self) -> int:
        """Last day with a change, 0 for none."""
        return self.days[-1] if self.days else 0

    @property
    def earlier(self) -> Timeline:
        """The past, empty where there is none. Raises `Missing`."""
        if isinstance(self.past, Unloaded):
            raise Missing(self.past.code, (PAST, self.past.key))
        return self.past or ZERO

    def parts(self) -> Iterator[Timeline]:
        """Yield the parts of the past that are loaded, the newest first."""
        part = self.past
        while isinstance(part, Timeline):
            yield part
            part = part.past

    def whole(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return all days and sums, those of the past too."""
        if self.past is None:
            return self.days, self.sums
        days, sums = self.earlier.whole()
        return days + self.days, sums + self.sums

    def at(self, day: int) -> int:
        """Sum of all changes effective by a day."""
        place = bisect_right(self.days, day)
        if place:
            return self.sums[place - 1]
        return self.earlier.at(day) if self.past is not None else 0

    def after(self, day: int) -> tuple[int, ...]:
        """Return the days with a change later than a day."""
        place = bisect_right(self.days, day)
        if place or self.past is None:
            return self.days[place:]
        return self.earlier.after(day) + self.days

    def least(self, since: int) -> int:
        """Smallest sum on a day or any later one."""
        place = bisect_right(self.days, since)
        if place == len(self.days):
            return self.total
        if place:
            return min(self.sums[place - 1 :])
        return min(self.earlier.least(since), *self.sums)

    def add(self, day: int, amount: int) -> Timeline:
        """Return the timeline with one more change."""
        days, sums = self.days, self.sums
        if not days:
            return Timeline((day,), (amount,))
        if day == days[-1]:
            return Timeline(days, (*sums[:-1], sums[-1] + amount), self.past)
        place = bisect_right(days, day)
        if not place and self.past is not None:
            moved = tuple(total + amount for total in sums)
            return Timeline(days, moved, self.earlier.add(day, amount))
        later = tuple(total + amount for total in sums[place:])
        if place and days[place - 1] == day:
            return Timeline(days, (*sums[: place - 1], sums[place - 1] + amount, *later), self.past)
        before = sums[place - 1] if place else 0
        days = (*days[:place], day, *days[place:])
        sums = (*sums[:place], before + amount, *later)
        if place < RECENT_MAX:
            return Timeline(days, sums, self.past)
        cut = place - RECENT
        return Timeline(days[cut:], sums[cut:], Timeline(days[:cut], sums[:cut], self.past))

    def plus(self, other: Timeline) -> Timeline:
        """Return the sum of two timelines."""
        result = self
        previous = 0
        for day, total in zip(*other.whole(), strict=True):
            result = result.add(day, total - previous)
            previous = total
        return result

    def on(self, past: Timeline | Unloaded | None) -> Timeline:
        """Return the timeline with another past in the place of what is not loaded."""
        if isinstance(self.past, Timeline):
            return Timeline(self.days, self.sums, self.past.on(past))
        return Timeline(self.days, self.sums, past)

    def __eq__(self, other: object) -> bool:
        """Compare by content, wherever days are cut off."""
        return isinstance(other, Timeline) and self.whole() == other.whole()

    def __hash__(self) -> int:
        """Hash by content."""
        return hash(self.whole())

    def __repr__(self) -> str:
        """Show days and sums."""
        return f"Timeline({self.days}, {self.sums}{f', {self.past}' if self.past else ''})"


ZERO = Timeline()
