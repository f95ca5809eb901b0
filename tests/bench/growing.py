"""T17: what a decision costs must grow neither with its log nor with the days of the year."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from datetime import date, timedelta
from random import Random

import asyncpg

from ledger.dates import from_iso
from ledger.service import Ledger
from ledger.store.checks import check
from tests.bench.appending import CALLERS
from tests.bench.country import Country, document, documents, read_all
from tests.bench.driving import drive
from tests.bench.filling import Lengthening
from tests.bench.ground import Ground, clock
from tests.bench.table import Row, compared
from tests.store.world import sequenced

SHORT = 10_000
PART = 2_000
"""Commands posted through the appender, which the copies repeat."""
FEW = 60
"""Budgets beside the one that grows."""
COLD = 5
MANY = 200
"""Budgets that have a year behind them."""
TODAY = date(2025, 12, 20)
_AHEAD = from_iso(f"{TODAY}T05:00:00Z") - clock()


async def _grow(dsn: str, country: Country, length: int) -> int:
    """Let the last budget's log have about `length` events; return how many it has."""
    connection = await asyncpg.connect(dsn)
    try:
        growing = Lengthening(connection, country.codes[-1])
        async with Ledger(dsn, clock=clock) as ledger:
            await drive(ledger, read_all(ledger, documents(country, 200, 0, hot=True)), 64)
            await growing.begin()
            small = documents(country, PART, 1, hot=True, tenge_max=1)  # so that money lasts
            await drive(ledger, read_all(ledger, small), 64)
            await sequenced(ledger, 60)
        found = await growing.repeat(length)
        async with Ledger(dsn, clock=clock) as ledger:
            await sequenced(ledger, 300)
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()
    return found


async def _cold(dsn: str, country: Country, seed: int) -> float:
    """Milliseconds of the first posting of a ledger that was just opened."""
    async with Ledger(dsn, clock=clock) as ledger:
        [asked] = read_all(ledger, documents(country, 1, seed, hot=True))
        began = time.perf_counter()
        await ledger.submit([asked])
        return 1000 * (time.perf_counter() - began)


async def t17(ground: Ground) -> list[Row]:
    """One hot budget with a long log ÷ the same with a short one, in turns; the first posting.

    The logs are filled by repeating posted traffic (`filling.py`); `check` judges the short one.
    """
    rounds: list[tuple[float, float]] = []
    cold: list[tuple[float, float]] = []
    async with AsyncExitStack() as stack:
        places = [await stack.enter_async_context(ground.country(2, FEW)) for _ in range(2)]
        (short, country), (long, _) = places
        few = await _grow(short, country, SHORT)
        if found := await check(short):
            raise RuntimeError(f"the filled ledger is not sound: {found[:3]}")
        many = await _grow(long, country, ground.long)
        cold += [(await _cold(long, country, 50 + n), await _cold(short, country, 50 + n))
                 for n in range(COLD)]  # fmt: skip
        ledgers = [await stack.enter_async_context(Ledger(dsn, clock=clock))
                   for dsn in (long, short)]  # fmt: skip
        for n in range(2 * ground.rounds + 1):
            rates = []
            for ledger in ledgers:
                asked = documents(country, ground.events // 2, 100 + n, hot=True)
                rates.append((await drive(ledger, read_all(ledger, asked), CALLERS)).rate)
                await sequenced(ledger, 120)
            rounds.append((rates[0], rates[1]))
    name = f"{many} events ÷ {few} events in its log"
    return [
        compared("T17", f"one hot budget, {CALLERS} callers, {name}", "events/s", rounds[1:],
                 must=0.9),
        compared("T17", "  first posting after a start, the same", "ms", cold, less=True),
        await _year(ground),
        await _year(ground, late=0.05),
    ]  # fmt: skip


def _december() -> int:
    """The clock of a ledger that has the year behind it."""
    return clock() + _AHEAD


def _on(day: date, random: Random, country: Country, code: str) -> dict:
    """One command of a budget on a day, of the kinds that have no plan ahead of them."""
    while (found := document(random, country, code, tenge_max=2))["command"] == "ChangePlan":
        pass
    dates = {name: str(day) for name in ("value_date", "effective_from") if name in found}
    return {**found, **dates, "act": {"id": "act", "date": str(day)}}


async def _year(ground: Ground, *, late: float = 0) -> Row:
    """Budgets with postings on each of many days ÷ the same with as many postings on one day.

    A share of what is measured comes one to five weeks `late`: limits are judged on all days since.
    """
    days = ground.events // 50
    rounds: list[tuple[float, float]] = []
    async with AsyncExitStack() as stack:
        ledgers = []
        for spread in (1, 0):
            dsn, country = await stack.enter_async_context(ground.country(20, MANY))
            ledger = await stack.enter_async_context(Ledger(dsn, clock=_december))
            random, codes = Random(1), country.codes
            history = [_on(TODAY - timedelta(spread * back), random, country, code)
                       for back in range(days, 0, -1) for code in codes]  # fmt: skip
            await drive(ledger, read_all(ledger, history), CALLERS)
            await sequenced(ledger, 120)
            ledgers.append(ledger)
        for n in range(2 * ground.rounds + 1):
            rates = []
            for ledger in ledgers:
                random = Random(100 + n)
                asked = [_on(TODAY - timedelta(random.randrange(7, 36) * (random.random() < late)),
                             random, country, random.choice(codes))
                         for _ in range(ground.events // 2)]  # fmt: skip
                rates.append((await drive(ledger, read_all(ledger, asked), CALLERS)).rate)
                await sequenced(ledger, 120)
            rounds.append((rates[0], rates[1]))
    name = f"  {MANY} budgets, {CALLERS} callers, postings on {days} days ÷ as many on one"
    if late:
        return compared("T17", f"{name}, {late:.0%} of them 1 to 5 weeks late", "events/s",
                        rounds[1:])  # fmt: skip
    return compared("T17", name, "events/s", rounds[1:], must=0.9)
