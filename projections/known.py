"""What "known" means: the last sequence that was published by a moment (design §9.11)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ledger.dates import from_iso
from ledger.errors import Invalid
from projections.registry import sql

MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T|$)")
SEQUENCE_DIGITS = 18
"""Digits of the largest sequence that a question may name."""


async def resolve_known(connection: Any, text: str, timezone: str = "UTC") -> int:
    """Read a sequence number, an ISO 8601 moment or a day (its end) as a sequence.

    A day, and a moment that names no offset, are of the ledger's own time zone, as every other
    day of the ledger is. The answer never exceeds what is published. Raises `Invalid`.
    """
    if text.isascii() and text.isdigit() and len(text) <= SEQUENCE_DIGITS:
        found: int = await connection.fetchval(sql("", "last_published"), int(text))
        return found
    try:
        moment = from_iso(_moment(text, timezone))
    except (ValueError, OverflowError):
        reason = 'neither a sequence nor a moment such as "2025-04-01" or "2025-04-01T09:00:00Z"'
        raise Invalid(f"known: {reason}", errors=[{"place": "known", "reason": reason}]) from None
    published: int = await connection.fetchval(sql("", "published_by"), moment)
    return published


def _moment(text: str, timezone: str) -> str:
    """Return a moment of the extended form of ISO 8601 with its offset. Raises ValueError."""
    if not MOMENT.match(text):
        raise ValueError(text)
    moment = datetime.fromisoformat(text if "T" in text else f"{text}T23:59:59.999999")
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))).isoformat()
