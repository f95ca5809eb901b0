"""Random questions, answered by the product and by brute force over the oracle's entries."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from http import HTTPStatus
from typing import Any

import httpx

from api.assembly import Running
from ledger.store.read import find_heads, load_keys, load_lines, load_past, load_states
from projections import budget_execution
from tests.faults.stored import query
from tests.instruments.deck import FIRST_DAY, LINES
from tests.machine.country import Country
from tests.oracle.book import Entry, total, under

COLUMNS = ("approved", "amended", "adjusted", "plan_payments", "plan_payments_year",
           "plan_commitments", "plan_commitments_year", "accepted", "unpaid",
           "executed")  # fmt: skip
BALANCE = ("approved", "amended", "adjusted", "executed")
DIMENSIONS = ("group", "programme", "category", "subprogramme")
PARTS = {"I": 1, "II": -1, "III": -1, "IV": -1, "VI": 1}
"""The parts of the balance and the sign with which they count into it (K25 9)."""


class Question:
    """One question about a budget: three filters, a branch, and how rows are cut."""

    def __init__(self, country: Country, numbers: Sequence[int]) -> None:
        budget, day, adopted, known, place, cut = numbers
        self.country = country
        codes = [*country.known]
        codes.remove("rulebook")
        self.budget = codes[budget % len(codes)]
        self.effective = FIRST_DAY + timedelta(days=day % 365)
        self.adopted = FIRST_DAY + timedelta(adopted % 380 - 15) if adopted % 3 else None
        self.prefix = LINES[place % len(LINES)][: place % 5]
        self.level = 1 + cut % 6 if cut % 3 else None
        self.by = DIMENSIONS[cut % len(DIMENSIONS)] if cut % 3 == 0 and cut % 2 else None
        self.known = self._sequence(known) if known % 3 else None

    def _sequence(self, number: int) -> int:
        """Return a sequence at which no command of the budget is half known."""
        asked = number % (self.country.last + 1)
        halves = [last for first, last, _ in self.country.known[self.budget]
                  if first <= asked < last]  # fmt: skip
        return halves[0] if halves else asked

    @property
    def number(self) -> int | None:
        """The oracle's number of the last command of the budget that is known."""
        if self.known is None:
            return None
        return max((number for _, last, number in self.country.known[self.budget]
                    if last <= self.known), default=0)  # fmt: skip

    @property
    def filters(self) -> dict[str, Any]:
        """The oracle's words for the filters."""
        adopted = str(self.adopted) if self.adopted else None
        return {"effective": str(self.effective), "adopted": adopted, "known": self.number}

    def compare(self, rows: Mapping[tuple[str, ...], Mapping[str, int]], **cut: Any) -> None:
        """Compare rows of the product with the oracle's."""
        oracle = self.country.oracle
        wanted = oracle.report(self.budget, **self.filters, prefix=self.prefix, **cut)
        found = {line: {name: row[name] for name in COLUMNS} for line, row in rows.items()}
        wanted = {line: {name: row[name] for name in COLUMNS} for line, row in wanted.items()}
        assert found == wanted, (self.budget, self.filters, self.known, self.prefix, cut)

    async def ask(self) -> None:
        """Ask the projection's own query."""
        country = self.country
        await country.applied()
        async with country.ledger.database.connect("reader") as connection:
            found = await budget_execution.report(
                connection, await country.ledger.rules_now(), budget=self.budget,
                effective=self.effective, adopted=self.adopted, known=self.known,
                prefix=self.prefix, level=self.level, by=self.by,
            )  # fmt: skip
        assert found.sequence == (country.last if self.known is None else self.known)
        self.compare({row.line: _figures(row) for row in found.rows}, depth=self.level, by=self.by)
        self.compare({row.line: _figures(row) for row in found.totals}, depth=1)
        for row in found.rows:
            plan = row.plan_payments + row.plan_receipts
            assert row.percent_of_plan == _percent(row.executed, plan), row
            assert row.percent_of_budget == _percent(row.executed, row.adjusted), row
        self._balance({row.part: row for row in found.identity})

    def _balance(self, found: Mapping[str, Any]) -> None:
        """The parts of the balance are the sums of their sections; V is I - II - III - IV."""
        oracle = self.country.oracle
        sections = oracle.report(self.budget, **self.filters, prefix=self.prefix, depth=1)
        wanted: dict[str, dict[str, int]] = {}
        for (name,), row in sections.items():
            law = oracle.sections[name]
            sign = law.get("identity", 0) + law.get("financing", 0)
            for part in {law["part"], "V"} if "identity" in law else {law["part"]}:
                sums = wanted.setdefault(part, dict.fromkeys(BALANCE, 0))
                for column in BALANCE:
                    side = 1 if part == "V" else PARTS[part]
                    sums[column] += sign * side * row[column]
        assert {part: {name: getattr(row, name) for name in BALANCE}
                for part, row in found.items()} == wanted, (self.budget, self.filters)  # fmt: skip

    async def ask_over_http(self, web: Any) -> None:
        """Ask the service twice: the same bytes, the same figures."""
        parameters: dict[str, Any] = {"effective": str(self.effective)}
        parameters |= {"adopted": str(self.adopted)} if self.adopted else {}
        parameters |= {"known": str(self.known)} if self.known is not None else {}
        parameters |= {"prefix": list(self.prefix)} if self.prefix else {}
        parameters |= {"level": self.level} if self.level else {}
        parameters |= {"by": self.by} if self.by else {}
        await self.country.applied()
        web.state.running = running(self.country)
        web.state.rules = None  # those of another example
        transport = httpx.ASGITransport(app=web)
        async with httpx.AsyncClient(transport=transport, base_url="http://machine") as client:
            place = f"/v1/budgets/{self.budget}/execution"
            answers = [await client.get(place, params=parameters) for _ in range(2)]
        assert answers[0].content == answers[1].content
        if self.prefix and answers[0].status_code == HTTPStatus.NOT_FOUND:
            assert answers[0].json()["code"] == "unknown-branch"
            self.compare({}, depth=self.level, by=self.by)
            return
        assert answers[0].status_code == HTTPStatus.OK, answers[0].text
        rows = {tuple(row["line"]): _minor(row) for row in answers[0].json()["rows"]}
        self.compare(rows, depth=self.level, by=self.by)

    async def ask_for_a_moment(self, number: int) -> None:
        """Ask what was known at a moment: what was published by then, by brute force."""
        steps = await query(
            self.country.dsn, "SELECT last_sequence, published_at FROM ledger.steps ORDER BY 1"
        )
        moment = steps[number % len(steps)]["published_at"] + number % 3 - 1
        published = [step["last_sequence"] for step in steps if step["published_at"] <= moment]
        self.known = max(published, default=0)
        await self.ask()


def running(country: Country) -> Running:
    """The parts that a report needs, of the example's own ledger; nothing asks for the others."""
    mine = {"ledger": country.ledger, "runner": country.runner, "dsn": country.dsn}
    return Running(**{part.name: mine.get(part.name) for part in fields(Running)})


def _figures(row: Any) -> dict[str, int]:
    """The columns of the form, which has one for plans of receipts and of payments."""
    sums = {name: getattr(row, name) for name in COLUMNS}
    sums["plan_payments"] += row.plan_receipts
    sums["plan_payments_year"] += row.plan_receipts_year
    return sums


def _minor(row: Mapping[str, Any]) -> dict[str, int]:
    """The same from a document of the service."""
    sums = {name: int(Decimal(row[name]).scaleb(2)) for name in COLUMNS}
    sums["plan_payments"] += int(Decimal(row["plan_receipts"]).scaleb(2))
    sums["plan_payments_year"] += int(Decimal(row["plan_receipts_year"]).scaleb(2))
    return sums


def _percent(part: int, whole: int) -> str | None:
    """A share with one decimal, halves away from zero."""
    if not whole:
        return None
    share = (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return str(share or abs(share))  # no minus zero


async def balances(country: Country, number: int) -> None:
    """Compare every control balance of a budget with the oracle on the last and on some day."""
    codes = [code for code in country.known if code != "rulebook"]
    code = codes[number % len(codes)]
    mine = country.oracle.of(code)
    contracts = {e.contract for e in mine if e.contract}
    async with country.ledger.database.connect("reader") as connection:
        heads = await find_heads(connection, [code])
        [state] = (await load_states(connection, heads.values())).values()
        await load_lines(connection, [state])
        wanted = {(state.log, ("contract", name)): state for name in contracts}
        await load_keys(connection, wanted)
        await load_past(connection, state, list(state.cells))
    for day in (FIRST_DAY + timedelta(days=number % 365), date(9999, 1, 1)):
        for (kind, ident), cell in state.cells.items():
            measures = [name for name in (cell.measures if cell else ()) if "@" not in name]
            entries = _entries(mine, kind, ident) if measures else []
            for measure in measures:
                found = cell.timeline(measure).at(day.toordinal())
                past = [e for e in entries if e.counts <= day]
                assert found == total(past, measure), (code, kind, ident, measure, day)


def _entries(mine: list[Entry], kind: str, ident: Any) -> list[Entry]:
    """Return the entries that a control balance sums."""
    if kind == "line":
        return under(mine, ident)
    if kind == "budget":
        return [e for e in mine if e.account is None]
    return [e for e in mine if getattr(e, kind) == ident]
