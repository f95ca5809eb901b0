"""What "known" means: the last sequence that was published by a moment (design §9.11)."""

from __future__ import annotations

import re
from typing import Any

from ledger.dates import from_iso
from ledger.errors import Invalid
from projections.registry import sql

MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T|$)")
SEQUENCE_DIGITS = 18
"""Digits of the largest sequence that a question may name."""


async def resolve_known(connection: Any, text: str) -> int:
    """Read a sequence number, an ISO 8601 moment or a day (its end, UTC) as a sequence.

    The answer never exceeds what is published. Raises `Invalid`.
    """
    if text.isascii() and text.isdigit() and len(text) <= SEQUENCE_DIGITS:
        found: int = await connection.fetchval(sql("", "last_published"), int(text))
        return found
    try:
        moment = from_iso(_moment(text))
    except (ValueError, OverflowError):
        reason = 'neither a sequence nor a moment such as "2025-04-01" or "2025-04-01T09:00:00Z"'
        raise Invalid(f"known: {reason}", errors=[{"place": "known", "reason": reason}]) from None
    published: int = await connection.fetchval(sql("", "published_by"), moment)
    return published


def _moment(text: str) -> str:
    """Return the text if it has the extended form of ISO 8601. Raises ValueError."""
    if not MOMENT.match(text):
        raise ValueError(text)
    return text
