"""Amounts: integer minor units (tiyn, luma, pence) inside, exact decimal strings outside.

The only arithmetic on amounts besides integer addition. Nothing here rounds: what does not fit
exactly is refused (invariant I27).
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow, Underflow

MAX_MINOR = 2**53 - 1
"""Largest amount of one command or event, in minor units (90 trillion tenge): every JSON reader
in the world carries it exactly (RFC 8785). Sums in cells and reports may be larger."""

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?")
_EXACT = Context(prec=200, traps=[Inexact, InvalidOperation, Overflow, Underflow])


def to_minor(text: str, digits: int) -> int:
    """Turn a decimal string such as `"430.50"` into minor units, exactly.

    `digits` is the currency's number of decimals. Raises ValueError for anything that is not a
    plain decimal, has more decimals than the currency, or exceeds `MAX_MINOR`.
    """
    if not _DECIMAL.fullmatch(text):
        msg = "an amount is a decimal string such as 1234.50, without exponent, sign + or spaces"
        raise ValueError(msg)
    whole, _, fraction = text.partition(".")
    if len(fraction.rstrip("0")) > digits:
        msg = f"the currency has {digits} decimals, the amount has {len(fraction)}"
        raise ValueError(msg)
    negative = whole.startswith("-")
    minor = int(whole) * int(10**digits)
    cents = int(fraction[:digits].ljust(digits, "0") or 0)
    minor = minor - cents if negative else minor + cents
    if abs(minor) > MAX_MINOR:
        msg = f"the amount exceeds {to_text(MAX_MINOR, digits)}"
        raise ValueError(msg)
    return minor


def to_text(minor: int, digits: int) -> str:
    """Write minor units as a decimal string with exactly `digits` decimals."""
    sign = "-" if minor < 0 else ""
    if digits == 0:
        return f"{minor}"
    whole, cents = divmod(abs(minor), 10**digits)
    return f"{sign}{whole}.{cents:0{digits}d}"


def scale(text: str, unit: Decimal, digits: int) -> int:
    """Convert a figure printed in a unit (1000 for thousand tenge) into minor units, exactly.

    Raises ValueError when a rest smaller than the minor unit would be lost.
    """
    try:
        exact = _EXACT.multiply(_EXACT.multiply(Decimal(text), unit), Decimal(10**digits))
        is_whole = exact == exact.to_integral_value()
    except ArithmeticError:
        is_whole = False
    if not is_whole or not exact.is_finite():
        msg = f"{text} in units of {unit} is not a whole number of minor units"
        raise ValueError(msg)
    if abs(exact) > MAX_MINOR:
        msg = f"{text} in units of {unit} exceeds the largest amount"
        raise ValueError(msg)
    return int(exact)
