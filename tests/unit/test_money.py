"""Amounts: exact decimal strings outside, whole minor units inside, nothing rounded (I27)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.money import MAX_MINOR, scale, to_minor, to_text


@pytest.mark.parametrize(("text", "digits", "minor"), [
    ("430", 2, 43_000), ("430.5", 2, 43_050), ("430.50", 2, 43_050), ("0", 2, 0), ("0.01", 2, 1),
    ("-0.01", 2, -1), ("-430.50", 2, -43_050), ("430.500", 2, 43_050), ("430", 0, 430),
    ("430.00", 0, 430), ("1.234", 3, 1234), ("90071992547409.91", 2, MAX_MINOR),
    ("-90071992547409.91", 2, -MAX_MINOR), ("-0", 2, 0),
])  # fmt: skip
def test_a_decimal_string_is_read_exactly(text, digits, minor):
    assert to_minor(text, digits) == minor


@pytest.mark.parametrize("text", [
    "", " ", "NaN", "nan", "Infinity", "-Infinity", "1e400", "1E5", "1e-2", "+1", " 1", "1 ", "1\n",
    "1 000", "1,000", "1_000", "1,5", "01", "00", "-", "--1", ".5", "5.", "0x10", "١", "1.２",
    "0.001", "1.005", "9" * 30, "1" + "0" * 30, "90071992547409.92", "-90071992547409.92", "true",
    "1\x00", "null", "½",
])  # fmt: skip
def test_what_is_no_exact_amount_is_refused(text):
    with pytest.raises(ValueError, match=r"amount|decimals"):
        to_minor(text, 2)


@given(st.integers(-MAX_MINOR, MAX_MINOR), st.integers(0, 4))
@settings(max_examples=200, derandomize=True)
def test_writing_and_reading_an_amount_gives_it_back(minor, digits):
    assert to_minor(to_text(minor, digits), digits) == minor


@given(st.text(max_size=12))
@settings(max_examples=300, derandomize=True)
def test_any_text_is_either_an_exact_amount_or_refused(text):
    try:
        minor = to_minor(text, 2)
    except ValueError:
        return
    assert Decimal(text) * 100 == minor


@pytest.mark.parametrize(("text", "unit", "minor"), [
    ("16268.6", 1000, 1_626_860_000), ("179531062", 1000, 17_953_106_200_000),
    ("-1.5", 1000, -150_000),
    ("0.00001", 1000, 1), ("341.6", 1000, 34_160_000), ("0", 1, 0), ("1E+2", 1, 10_000),
])  # fmt: skip
def test_a_printed_unit_is_multiplied_exactly(text, unit, minor):
    assert scale(text, Decimal(unit), 2) == minor


@pytest.mark.parametrize("text", [
    "NaN", "sNaN", "Infinity", "1e400", "1e999999999", "1e-400", "0.000001", "abc", "", "1 321",
    "1." + "0" * 40 + "1", "9" * 30,
])  # fmt: skip
def test_a_printed_figure_that_does_not_fit_exactly_is_refused(text):
    with pytest.raises(ValueError, match="unit"):
        scale(text, Decimal(1000), 2)


@given(st.integers(-(10**12), 10**12), st.integers(0, 5))
@settings(max_examples=200, derandomize=True)
def test_scaling_never_rounds(figure, places):
    text = str(Decimal(figure).scaleb(-places))
    try:
        minor = scale(text, Decimal(1000), 2)
    except ValueError:
        assert Decimal(text) * 100_000 % 1 or abs(Decimal(text)) * 100_000 > MAX_MINOR
        return
    assert Decimal(text) * 100_000 == minor
