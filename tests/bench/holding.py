"""T18: memory of the service over a large ledger whose budgets are all in use."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import asyncpg

from ledger.service import Ledger
from ledger.store.migrate import migrate
from tests.bench.country import Country, command_id, lay_out
from tests.bench.filling import clone
from tests.bench.ground import Ground, clock
from tests.bench.serving import Served, post_batch, projected, serving
from tests.bench.table import Row
from tests.store import world
from tests.store.world import ask, sequenced

REGIONS = 20
LINES = 99
"""Lines of receipts and as many of spending in every budget."""
REQUEST = 500
PASSES = 2
FEW = 100
"""Budgets whose cells surely fit into memory: what the traffic costs there is the limit."""
MEGABYTES_MUST, MEGABYTES_AIM = 300, 200


def _receipts(n: int) -> list[str]:
    return ["revenue", "1", f"{n + 1:02}", "1"]


def _spending(n: int) -> list[str]:
    return ["expenditure", "01", "101", f"{n + 1:03}"]


SPANS = range(LINES)
CONTRACTED = range(10)
"""Lines of spending on which contracts may be registered."""


def _founding(code: str, region: int, level: int) -> list[dict]:
    """Open, approve, plan and fund a budget of `2 * len(SPANS)` lines."""
    months = [{"month": "2025-01", "amount": "90000"}]
    plans = [{"line": _receipts(n), "receipts": months} for n in SPANS]
    plans += [{"line": _spending(n), "payments": months}
              | ({"commitments": months} if n in CONTRACTED else {}) for n in SPANS]  # fmt: skip
    approved = [{"line": line(n), "amount": "100000"} for n in SPANS
                for line in (_receipts, _spending)]  # fmt: skip
    return [
        world.opening(code, region, level),
        ask("ApproveBudget", code, capacity="parliament" if level == 1 else "maslikhat",
            effective_from="2025-01-01", day="2024-12-24", balance="0", lines=approved),
        ask("SetPlan", code, effective_from="2025-01-05", lines=plans),
        ask("CreditReceipt", code, line=_receipts(0), amount="90000", value_date="2025-01-10"),
        ask("RegisterCommitment", code, contract="C1", line=_spending(0), amount="60000",
            effective_from="2025-01-20"),
    ]  # fmt: skip


def _traffic(random: Random, code: str) -> dict:
    """One command on any line of a budget: a receipt, a contract, or a payment on the first."""
    choice, key = random.random(), command_id()
    if choice < 0.4:
        return ask("CreditReceipt", code, line=_receipts(random.choice(SPANS)), amount="0.50",
                   value_date=world.DAY, command_id=key)  # fmt: skip
    if choice < 0.7:
        line = _spending(random.choice(CONTRACTED))
        return ask("RegisterCommitment", code, contract=f"N-{key[-12:]}", amount="0.01",
                   line=line, effective_from=world.DAY, command_id=key)  # fmt: skip
    return ask("ExecutePayment", code, contract="C1", line=_spending(0), amount="0.10",
               value_date=world.DAY, command_id=key)  # fmt: skip


async def _fill(dsn: str, country: Country) -> int:
    """Post one budget a region and copy it to the region's others; return the events."""
    await migrate(dsn)
    connection = await asyncpg.connect(dsn)
    try:
        async with Ledger(dsn, clock=clock) as ledger:
            await world.accepted(ledger, ask(
                "AdoptJurisdiction", "rulebook", jurisdiction=world.jurisdiction(),
                effective_from="2024-01-01", day="2024-01-01"))  # fmt: skip
            for region, codes in country.regions.items():
                await world.accepted(ledger, *_founding(codes[0], region, 2 if region else 1))
                if len(codes) > 1:
                    await clone(connection, codes[0], codes[1:])
            many = await sequenced(ledger, 300)
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()
    return many


def _megabytes(pid: int, what: str) -> float:
    """Resident memory of a process from /proc: "VmRSS" now, "VmHWM" at its highest."""
    told = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    return int(told[1]) / 1024


async def _pass(service: Served, codes: Sequence[str], random: Random, many: int) -> float:
    """Post commands to every budget in turn, over two connections; return commands a second."""
    asked = [_traffic(random, codes[n % len(codes)]) for n in range(many)]
    random.shuffle(asked)
    parts = iter([asked[n : n + REQUEST] for n in range(0, many, REQUEST)])

    async def caller() -> None:
        for part in parts:
            await post_batch(service.port, part)

    began = time.perf_counter()
    await asyncio.gather(caller(), caller())
    return many / (time.perf_counter() - began)


async def t18(ground: Ground) -> list[Row]:
    """Highest resident memory of `qazyna serve` while every budget is posted to, line by line.

    The service starts over the whole history with empty projections. The cost of memory being
    bounded is the rate of the same traffic, all budgets ÷ few.
    """
    country = lay_out(ground.budgets, REGIONS)
    many = max(2 * ground.budgets, ground.events // 2)
    async with ground.database() as dsn:
        events = await _fill(dsn, country)
        async with serving("api.cli", "serve", "--port", "0", dsn=dsn) as service:
            await projected(dsn)
            started = _megabytes(service.pid, "VmRSS")
            random, rounds = Random(1), []
            for _ in range(PASSES):
                few = await _pass(service, country.codes[-FEW:], random, many // 2)
                rounds.append((await _pass(service, country.codes, random, many), few))
            await projected(dsn)
            highest = _megabytes(service.pid, "VmHWM")
    name = f"{ground.budgets} budgets of {2 * len(SPANS)} lines, {events} events"
    spread, few = rounds[-1]
    return [
        Row(id="T18", quantity=f"service process, resident at most, {name} "
            "(limit: after projecting them)", unit="MB", ours=highest, limit=started,
            ratio=highest / started, absolute=True, less=True, must=MEGABYTES_MUST,
            aim=MEGABYTES_AIM),
        Row(id="T18", quantity=f"  batch endpoint over all budgets ÷ over {FEW}",
            unit="commands/s", ours=spread, limit=few, ratio=spread / few),
    ]  # fmt: skip
