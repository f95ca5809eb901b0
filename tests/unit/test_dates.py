"""The fiscal calendar and the ledger's own day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.dates import FiscalYear, from_iso, local_day, month_start, to_iso


@pytest.mark.parametrize(("year", "starts", "first", "last"), [
    (2025, "01-01", "2025-01-01", "2025-12-31"), (2024, "01-01", "2024-01-01", "2024-12-31"),
    (2020, "04-01", "2020-04-01", "2021-03-31"), (2023, "04-01", "2023-04-01", "2024-03-31"),
    (2023, "03-01", "2023-03-01", "2024-02-29"),
])  # fmt: skip
def test_the_days_of_a_fiscal_year(year, starts, first, last):
    found = FiscalYear.of(year, starts)
    assert (found.start.isoformat(), found.end.isoformat()) == (first, last)
    day = timedelta(days=1)
    assert found.start in found
    assert found.end in found
    assert found.start - day not in found
    assert found.end + day not in found
    assert found.clip(found.start - day) == found.start
    assert found.clip(found.end + day) == found.end


@pytest.mark.parametrize(("year", "starts", "month_day", "expected"), [
    (2025, "01-01", "12-20", "2025-12-20"), (2025, "01-01", "01-01", "2025-01-01"),
    (2020, "04-01", "12-20", "2020-12-20"), (2020, "04-01", "03-20", "2021-03-20"),
    (2020, "04-01", "04-01", "2020-04-01"),
])  # fmt: skip
def test_the_day_of_a_fiscal_year(year, starts, month_day, expected):
    assert FiscalYear.of(year, starts).anniversary(month_day).isoformat() == expected


@pytest.mark.parametrize(("moment", "timezone", "day"), [
    ("2025-12-31T18:59:59Z", "Asia/Almaty", "2025-12-31"),
    ("2025-12-31T19:00:00Z", "Asia/Almaty", "2026-01-01"),
    ("2024-02-28T17:59:59Z", "Asia/Almaty", "2024-02-28"),  # UTC+6 until 1 March 2024
    ("2024-02-28T18:00:00Z", "Asia/Almaty", "2024-02-29"),
    ("2020-06-30T22:59:59Z", "Europe/London", "2020-06-30"),
    ("2020-06-30T23:00:00Z", "Europe/London", "2020-07-01"),
])  # fmt: skip
def test_the_ledgers_day_is_that_of_its_time_zone(moment, timezone, day):
    assert local_day(from_iso(moment), timezone).isoformat() == day


@pytest.mark.parametrize(("text", "expected"), [
    ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00.000000Z"),
    ("2025-01-01T05:00:00+05:00", "2025-01-01T00:00:00.000000Z"),
    ("2025-01-01T00:00:00", "2025-01-01T00:00:00.000000Z"),
    ("2025-01-01", "2025-01-01T23:59:59.999999Z"),
    ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
])  # fmt: skip
def test_a_moment_is_read_and_written(text, expected):
    assert to_iso(from_iso(text)) == expected


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
@settings(max_examples=100, derandomize=True)
def test_a_moment_survives_being_written_and_read(moment):
    micros = from_iso(moment.isoformat())
    assert from_iso(to_iso(micros)) == micros
    assert local_day(micros, "UTC") == moment.date()


def test_a_month_starts_on_its_first_day():
    assert month_start("2025-02") == date(2025, 2, 1)
