"""The fiscal calendar, the four dates and the ledger's own day.

`adopted_on` (the act), `effective_from` (legal effect), `value_date` (the bank's day) are dates;
`recorded_at` is our clock in microseconds since 1970 UTC. Nothing here reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MICROSECOND = 1_000_000


@dataclass(frozen=True)
class FiscalYear:
    """A budget year named by the calendar year in which it starts (K25 1: 1 Jan to 31 Dec)."""

    start: date
    end: date

    @classmethod
    def of(cls, year: int, starts: str) -> FiscalYear:
        """Build the year `year` of a calendar whose years start on `starts`, as "MM-DD"."""
        month, day = (int(part) for part in starts.split("-"))
        start = date(year, month, day)
        return cls(start, start.replace(year=year + 1) - timedelta(days=1))

    def __contains__(self, day: date) -> bool:
        """Tell whether the day lies in the year."""
        return self.start <= day <= self.end

    def clip(self, day: date) -> date:
        """Return the nearest day inside the year."""
        return min(max(day, self.start), self.end)

    def anniversary(self, month_day: str) -> date:
        """Return the day "MM-DD" that lies in this year."""
        month, day = (int(part) for part in month_day.split("-"))
        found = date(self.start.year, month, day)
        return found if found >= self.start else found.replace(year=found.year + 1)


def month_start(month: str) -> date:
    """Return the first day of a month written "YYYY-MM"."""
    return date.fromisoformat(f"{month}-01")


def local_day(recorded_at: int, timezone: str) -> date:
    """Return the calendar day of a moment (microseconds UTC) in the jurisdiction's time zone."""
    return _day_of_second(recorded_at // MICROSECOND, timezone)


@lru_cache(maxsize=4096)
def _day_of_second(second: int, timezone: str) -> date:
    """Return the day in which a second since 1970 lies."""
    return datetime.fromtimestamp(second, tz=UTC).astimezone(ZoneInfo(timezone)).date()


def to_iso(recorded_at: int) -> str:
    """Write a moment as ISO 8601 UTC with microseconds."""
    moment = datetime.fromtimestamp(recorded_at // MICROSECOND, tz=UTC)
    moment = moment.replace(microsecond=recorded_at % MICROSECOND)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_iso(text: str) -> int:
    """Read an ISO 8601 moment (a plain day means its end, UTC) as microseconds since 1970."""
    if len(text) == len("2025-01-01"):
        text += "T23:59:59.999999Z"
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * MICROSECOND + delta.microseconds
