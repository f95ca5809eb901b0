"""What the loader asks of a ledger, in this process or over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol


class Door(Protocol):
    """A ledger as the loader sees it: amounts are decimal strings, dates are dates."""

    async def adopt(self, jurisdiction: str) -> None:
        """Make sure that the ledger has a jurisdiction; adopt the named one where it has none."""

    async def submit(
        self, documents: Sequence[dict[str, Any]], *, atomic: bool
    ) -> list[dict[str, Any]]:
        """Post command documents in order; return one answer each, in that order.

        An answer has `status` ("accepted", "refused", "withheld"), `replayed` and, when refused,
        `refusal` with `code`, `message` and, where it has some, `figures` (`line`: a path's codes
        joined by " / "); what the ledger could not decide (an id used before for another command)
        is an answer "refused" too, never replayed.
        """

    async def execution(self, budget: str, effective: date) -> list[dict[str, Any]]:
        """Return the execution report's rows in force on a day; none for an unknown budget.

        Each row has `line` (list of codes) and at least the amounts `approved`, `adjusted`,
        `plan_payments` (to that day's month) and `executed`.
        """

    async def payments(
        self, budget: str, line: Sequence[str], effective: date
    ) -> list[dict[str, Any]]:
        """Return a line's payments by a day, oldest first.

        Each has `payment` (its command id), `value_date` and `amount`: what is left of it on
        that day after returns and recoveries.
        """
