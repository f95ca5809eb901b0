"""A live ledger to post to, and the comparison of the library's fold with the ledger's cells."""

import asyncio
import random
import tomllib
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson

from ledger.cells import BUDGET, MONTH, ROLLING, Cell, Key
from ledger.dates import from_iso
from ledger.events import RULEBOOK
from ledger.library import BudgetTotals
from ledger.service import Ledger
from ledger.store.answers import Answer
from ledger.store.migrate import migrate
from ledger.store.read import read_cell, read_past
from tests.instruments.asks import (
    PLANNED,
    RUNNING,
    Ask,
    P,
    Q,
    adjust,
    amend,
    cut,
    give_back,
    pay,
    plan_of,
    receive,
    refund,
    register,
)

KZ = Path(__file__).parents[2] / "deploy/jurisdictions/kz.toml"
RAYON = "KZ-2025-rayon-1"


@dataclass
class Live:
    """An open ledger under a test clock."""

    dsn: str
    ledger: Ledger
    clock: list[int]
    answers: list[Answer] = field(default_factory=list)

    def command(self, day: str, ask: Ask, budget: str = RAYON) -> Any:
        """Build a command of the ledger's day."""
        fields = dict(ask.fields)
        document = {
            "command": ask.name, "command_id": fields.pop("command_id", str(uuid4())),
            "budget": ask.budget or budget, "actor": {"id": "person-1", "capacity": ask.by},
            "act": {"id": "act", "date": day},
        }  # fmt: skip
        for dated in ask.dated:
            fields.setdefault(dated, day)
        fields = {name: value for name, value in fields.items() if value is not None}
        return self.ledger.read({**document, **fields})

    async def post(self, day: str, *asks: Ask, budget: str = RAYON) -> list[Answer]:
        """Post commands together on the ledger's day."""
        self.clock[0] = max(self.clock[0], from_iso(f"{day}T05:00:00Z"))
        found = await self.ledger.submit([self.command(day, ask, budget) for ask in asks])
        for answer in found:
            assert isinstance(answer, Answer), repr(answer)
            self.answers.append(answer)
        return self.answers[-len(asks) :]

    @property
    def last_position(self) -> int:
        """The position of the last posted event."""
        return self.answers[-1].position + self.answers[-1].events - 1

    async def settled(self) -> int:
        """Wait until every committed event has its sequence; return the last one."""
        async with self.ledger.database.connect("reader") as connection:
            while True:
                posted, given = await connection.fetchrow(
                    "SELECT (SELECT sum(position) FROM ledger.heads)::bigint,"
                    " (SELECT max(sequence) FROM ledger.sequences)"
                )
                if posted == given:
                    return int(given)
                await asyncio.sleep(0.02)

    async def cells(self, budget: str = RAYON) -> dict[Key, Cell]:
        """Read the stored cells of a budget."""
        async with self.ledger.database.connect("reader") as connection:
            rows = await connection.fetch(
                "SELECT c.* FROM ledger.cells AS c"
                " JOIN ledger.heads AS h USING (region, log) WHERE h.code = $1", budget
            )  # fmt: skip
            pasts: dict[tuple[str, str], list[Any]] = defaultdict(list)
            for row in await connection.fetch(
                "SELECT p.* FROM ledger.past_days AS p JOIN ledger.heads AS h USING (region, log)"
                " WHERE h.code = $1 ORDER BY p.measure, p.last_day", budget
            ):  # fmt: skip
                pasts[row["kind"], row["key"]].append(row)
        found = ((row, read_cell(row, budget)) for row in rows)
        return {cell.key: cell.on(read_past(pasts[row["kind"], row["key"]])) for row, cell in found}


@asynccontextmanager
async def started(dsn: str) -> AsyncIterator[Live]:
    """Open a ledger in an empty database and adopt Kazakhstan's rules."""
    await migrate(dsn)
    clock = [from_iso("2004-01-01T05:00:00Z")]
    async with Ledger(dsn, clock=lambda: clock[0]) as ledger:
        live = Live(dsn, ledger, clock)
        rules = orjson.loads(orjson.dumps(tomllib.loads(KZ.read_text("utf-8"))))
        await live.post(
            "2004-01-01", Ask("AdoptJurisdiction", "treasury", {"jurisdiction": rules}, RULEBOOK)
        )
        yield live


async def worked_example(live: Live) -> None:
    """Post E2 of the rules, its two refusals included."""
    for day, ask in RUNNING:
        assert (await live.post(day, ask))[0].status == "accepted"
    paid = str(uuid4())
    moved = ({3: -100}, {10: -100}), ({3: 100}, {10: 100})
    rows = [
        ("2025-02-18", pay(P, 200, "C1", command_id=paid)),
        ("2025-03-06", adjust({P: -100, Q: 100}, *(
            plan_of(line, commitments=c, payments=p)
            for line, (c, p) in zip((P, Q), moved, strict=True)))),
        ("2025-04-10", amend(
            {("revenue", "1"): 2300, P: 1200, Q: 1100}, plans_effective_from="2025-04-10",
            plans=[plan_of(P, commitments={4: 300}, payments={7: 200, 10: 100})])),
        ("2025-05-02", give_back("RecoverCashExpenditure", paid, 20)),
        ("2025-06-01", cut({P: 60}, plan_of(P, commitments={6: -60}, payments={10: -60}))),
        ("2025-07-01", pay(P, 430, "C1")),
        ("2025-12-21", register("C2", P, 10)),
    ]  # fmt: skip
    answers = [(await live.post(day, ask))[0].status for day, ask in rows]
    assert answers == ["accepted"] * 5 + ["refused"] * 2


async def open_running(live: Live) -> None:
    """Open a budget with plans, 1 000 000 of cash and contract C1 of 600 on P."""
    for day, ask in (*PLANNED, ("2025-01-10", receive(1_000_000)),
                     ("2025-01-20", register("C1", P, 600))):  # fmt: skip
        assert (await live.post(day, ask))[0].status == "accepted"


async def random_commands(live: Live, seed: int, count: int) -> None:
    """Post commands of many kinds, in order of days, many backdated and many refused."""
    chance = random.Random(seed)
    await open_running(live)
    paid: list[UUID] = []
    contracts = ["C1"]
    for number in range(count):
        day = date.fromordinal(date(2025, 2, 1).toordinal() + number * 300 // count)
        back = date.fromordinal(day.toordinal() - chance.randrange(20)).isoformat()
        line, amount = chance.choice((P, Q)), chance.randrange(1, 40)
        plan = plan_of(line, payments={chance.randrange(1, 13): chance.randrange(-30, 30)})
        ask = chance.choice((
            pay(line, amount, chance.choice(contracts), value_date=back),
            pay(P, amount, "C1"),
            receive(amount, value_date=back),
            refund(amount),
            register(f"C{number}", line, amount, effective_from=back),
            give_back(chance.choice(("ReturnPayment", "RecoverCashExpenditure")),
                      chance.choice(paid or [uuid4()]), chance.randrange(1, 9)),
            adjust({P: -amount, Q: amount}),
            cut({line: chance.randrange(1, 5)}),
            Ask("ChangePlan", "treasury", {"lines": [plan]}),
        ))  # fmt: skip
        answer = (await live.post(day.isoformat(), ask))[0]
        if answer.status == "accepted" and ask.name == "ExecutePayment":
            paid.append(answer.command_id)
        if answer.status == "accepted" and ask.name == "RegisterCommitment":
            contracts.append(f"C{number}")


def compare(totals: BudgetTotals, cells: dict[Key, Cell]) -> int:
    """Compare the library's fold with our cells, day by day, both ways; count the figures."""
    figures = 0
    for key, cell in cells.items():
        for measure, timeline in cell.measures.items():
            for day in (*timeline.whole()[0], date(2025, 7, 1).toordinal(), date.max.toordinal()):
                assert timeline.at(day) == _folded(totals, key, measure, day), (key, measure, day)
                figures += 1
        facts = totals.facts.get(key, {})
        assert orjson.loads(orjson.dumps(facts)) == cell.facts, key
    for place in totals.amounts:
        if place.measure in ROLLING and place.line:
            assert place.measure in cells[("line", place.line)].measures
        if place.measure == "cash":
            owner = ("account", place.account) if place.account else BUDGET
            assert "cash" in cells[owner].measures
        if place.measure in ("accepted", "executed") and place.contract:
            assert place.measure in cells[("contract", place.contract)].measures
    assert {key for key in totals.facts if key[0] != "payment"} <= set(cells)
    return figures


def _folded(totals: BudgetTotals, key: Key, measure: str, day: int) -> int:
    kind, ident = key
    on = date.fromordinal(day)
    if MONTH in measure:
        plan, month = measure.split(MONTH)
        return sum(
            amount for place, amount in totals.amounts.items()
            if place.measure == plan and place.line == ident and place.day <= on
            and place.month == date.fromisoformat(f"{month}-01")
        )  # fmt: skip
    if kind == "line":
        return totals.total(measure, line=ident, on=on)
    if kind == "budget":
        return totals.total(measure, on=on, account=None)
    return totals.total(measure, on=on, **{kind: UUID(ident) if kind == "payment" else ident})
