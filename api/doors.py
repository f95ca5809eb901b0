"""Two doors for the loader: a ledger in this process, and a service over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import httpx
import orjson

from api import client
from api.assembly import JURISDICTIONS, Running, adopt, read_toml
from api.client import RemoteProblem
from ledger.errors import Invalid, LedgerError, NotFound, OutcomeUnknown, RetryLater
from ledger.events import Event, decode
from ledger.money import to_text
from ledger.store.answers import Answer
from projections import budget_execution

PAGE = 1000
MEASURES = ("approved", "amended", "adjusted", "plan_payments", "executed")
LAGGING = ("not-applied-yet", "lagging")
"""Codes of a service whose reports have not come as far as was asked."""
APPLIED_SECONDS = 60.0
"""Longest wait until the reports show what was just posted."""


class PaymentsOf:
    """What is left of each payment of one budget, folded from its events as far as read."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.sequence = 0
        self.position = 0
        self._moved: dict[tuple[str, ...], list[tuple[str, date, int]]] = {}

    def take(self, sequence: int, fact: Event) -> None:
        """Add one event."""
        self.sequence, self.position = sequence, fact.originator_version
        movement = fact.movement()
        if movement.payment is not None and movement.line is not None:
            moved = (str(movement.payment), movement.counts_from,
                     movement.amounts.get("executed", 0))  # fmt: skip
            self._moved.setdefault(movement.line, []).append(moved)

    def left(self, line: Sequence[str], effective: date, digits: int) -> list[dict[str, Any]]:
        """Return a line's payments by a day, oldest first, with what did not come back."""
        days: dict[str, date] = {}
        sums: dict[str, int] = {}
        for payment, day, minor in self._moved.get(tuple(line), ()):
            days.setdefault(payment, day)
            if day <= effective:
                sums[payment] = sums.get(payment, 0) + minor
        return [{"payment": payment, "value_date": days[payment].isoformat(),
                 "amount": to_text(sums[payment], digits)}
                for payment in sorted(sums, key=lambda found: days[found])]  # fmt: skip


class WrongJurisdiction(Invalid):
    """The mapping is made for another country's ledger."""

    code = "wrong-jurisdiction"


def check_jurisdiction(name: str, code: str) -> None:
    """Refuse a ledger of another jurisdiction than the one shipped under a name."""
    wanted = read_toml(JURISDICTIONS / f"{name}.toml")["code"]
    if wanted != code:
        raise WrongJurisdiction(f"the mapping is made for {wanted}, the ledger is of {code}; "
                                "nothing was posted")  # fmt: skip


class LedgerDoor:
    """A ledger in this process."""

    def __init__(self, parts: Running) -> None:
        """Take a ledger that runs, with its projections."""
        self.parts = parts
        self._payments: dict[str, PaymentsOf] = {}

    async def adopt(self, jurisdiction: str) -> None:
        """Adopt the named jurisdiction where the ledger has none. Raises `WrongJurisdiction`."""
        await adopt(self.parts.ledger, jurisdiction)
        check_jurisdiction(jurisdiction, self.parts.ledger.rules.jurisdiction.code)

    async def submit(
        self, documents: Sequence[dict[str, Any]], *, atomic: bool
    ) -> list[dict[str, Any]]:
        """Post commands. Raises what says that nothing more can be decided now."""
        ledger = self.parts.ledger
        commands = [ledger.read(document) for document in documents]
        return [_told(found) for found in await ledger.submit(commands, atomic=atomic)]

    async def execution(self, budget: str, effective: date) -> list[dict[str, Any]]:
        """Return the execution report with everything that was posted."""
        ledger = self.parts.ledger
        try:
            position = await ledger.position(budget)
        except NotFound:
            return []
        await self.parts.runner.wait_for(budget, position, APPLIED_SECONDS, "budget_execution")
        async with ledger.database.connect("reader") as connection:
            found = await budget_execution.report(
                connection, ledger.rules, budget=budget, effective=effective
            )
        return [
            {"line": list(row.line),
             **{name: to_text(getattr(row, name), found.digits) for name in MEASURES}}
            for row in found.rows
        ]  # fmt: skip

    async def payments(
        self, budget: str, line: Sequence[str], effective: date
    ) -> list[dict[str, Any]]:
        """Return a line's payments, read from the events."""
        ledger = self.parts.ledger
        folded = self._payments.setdefault(budget, PaymentsOf())
        upto = await ledger.position(budget)
        while folded.position < upto:
            found = await ledger.events(folded.sequence, PAGE, budget)
            for stored in found:
                folded.take(stored.sequence, stored.event())
            if not found:
                await asyncio.sleep(0.01)  # the sequencer has not come that far
        return folded.left(line, effective, ledger.digits)


def _told(found: Answer | LedgerError) -> dict[str, Any]:
    """Put an answer into the loader's terms."""
    if isinstance(found, (RetryLater, OutcomeUnknown)):
        raise found
    if isinstance(found, LedgerError):
        # A row that was refused and then corrected in the source counts as refused before.
        return {"status": "refused", "replayed": found.details.get("first_status") == "refused",
                "refusal": {"code": found.code, "message": found.message}}  # fmt: skip
    refusal = found.refusal
    return {
        "status": found.status, "replayed": found.replayed,
        "refusal": {"code": refusal.code, "message": refusal.message,
                    "figures": dict(refusal.figures)} if refusal else None,
    }  # fmt: skip


class HttpDoor:
    """A service over HTTP; it has its own jurisdiction."""

    def __init__(self, service: httpx.AsyncClient) -> None:
        """Take a connected client."""
        self.service = service
        self._payments: dict[str, PaymentsOf] = {}
        self._positions: dict[str, int] = {}
        self._minor_digits: int | None = None

    async def adopt(self, jurisdiction: str) -> None:
        """Leave the service its own, adopted before it answers. Raises `WrongJurisdiction`."""
        found = await client.get(self.service, client.RULEBOOK, {})
        check_jurisdiction(jurisdiction, found["jurisdiction"]["code"])

    async def submit(
        self, documents: Sequence[dict[str, Any]], *, atomic: bool
    ) -> list[dict[str, Any]]:
        """Post commands. Raises `RemoteProblem` when nothing more can be decided now."""
        if not documents:
            return []
        body = b"\n".join(orjson.dumps(document) for document in documents)
        found = await client.verdicts(self.service, body, client.NDJSON, atomic=atomic)
        return list(self._tell(found))

    def _tell(self, verdicts: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        """Put verdicts into the loader's terms and remember how far each budget is."""
        for verdict in verdicts:
            status = verdict["status"]
            if status in (500, 503, 504):
                raise RemoteProblem(verdict)
            if verdict.get("position"):
                budget = verdict["budget"]
                last = verdict["position"] + verdict.get("events", 1) - 1
                self._positions[budget] = max(self._positions.get(budget, 0), last)
            if status == "accepted":
                yield {"status": status, "replayed": verdict["replayed"], "refusal": None}
            elif verdict["code"] == "withheld":
                yield {"status": "withheld", "replayed": False, "refusal": None}
            else:
                refusal = {"code": verdict["code"], "message": verdict["detail"],
                           "figures": verdict.get("figures", {})}  # fmt: skip
                before = verdict.get("replayed") or verdict.get("first_status") == "refused"
                yield {"status": "refused", "replayed": bool(before), "refusal": refusal}

    async def execution(self, budget: str, effective: date) -> list[dict[str, Any]]:
        """Return the execution report with everything that was posted."""
        asked = {"effective": effective.isoformat(), "at_least": self._at_least(budget)}
        until = time.monotonic() + APPLIED_SECONDS
        while True:
            try:
                found = await client.get(
                    self.service, client.EXECUTION.format(budget=budget), asked
                )
                rows: list[dict[str, Any]] = found["rows"]
                return rows
            except RemoteProblem as problem:
                code = problem.document.get("code")
                if code == "unknown-budget":
                    return []
                if code not in LAGGING or time.monotonic() > until:
                    raise

    def _at_least(self, budget: str) -> str | None:
        """Return the newest position that this door knows, for the service to wait for."""
        position = self._positions.get(budget)
        return f"{budget}:{position}" if position else None

    async def payments(
        self, budget: str, line: Sequence[str], effective: date
    ) -> list[dict[str, Any]]:
        """Return a line's payments, read from the feed of events."""
        folded = self._payments.setdefault(budget, PaymentsOf())
        facts = await client.get(self.service, client.BUDGET.format(budget=budget), {})
        while folded.position < facts["position"]:
            page = await client.get(self.service, client.EVENTS, {
                "budget": budget, "after": folded.sequence, "limit": PAGE,
            })  # fmt: skip
            for item in page["items"]:
                body = item["body"].encode()
                folded.take(item["sequence"], decode(body, budget, item["position"]))
            if not page["items"]:
                await asyncio.sleep(0.01)  # the sequencer has not come that far
        return folded.left(line, effective, await self._digits())

    async def _digits(self) -> int:
        """Return the decimals of the service's currency."""
        if self._minor_digits is None:
            found = await client.get(self.service, client.RULEBOOK, {})
            self._minor_digits = int(found["jurisdiction"]["minor_digits"])
        return self._minor_digits
