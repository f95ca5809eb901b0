"""A country for the benches: thousands of planned and funded budgets, and their daily traffic."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from uuid import UUID

from ledger.events import Command
from ledger.service import Ledger
from tests.store import world

REPUBLIC = "KZ-2025-republic"
EARLIER = ["2025-02-03", "2025-02-17", "2025-03-03"]
"""Days of the few backdated payments."""
_RANDOM = Random()  # of ids only: two processes may not make the same


@dataclass(frozen=True)
class Country:
    """Codes of the budgets by region; region 0 holds the republic (or everything)."""

    regions: dict[int, list[str]]

    @property
    def codes(self) -> list[str]:
        """All budgets."""
        return [code for codes in self.regions.values() for code in codes]


def command_id() -> str:
    """A UUID of version 7, which is what clients are asked to send."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | (7 << 76) | (_RANDOM.getrandbits(12) << 64)
    return str(UUID(int=value | (2 << 62) | _RANDOM.getrandbits(62)))


def lay_out(budgets: int, regions: int) -> Country:
    """Spread budgets: the republic, one oblast a region, the others in turn."""
    found: dict[int, list[str]] = {0: [REPUBLIC]}
    for region in range(1, regions + 1):
        found[region] = [f"KZ-2025-oblast-{region}"]
    for n in range(budgets - 1 - regions):
        found[n % regions + 1 if regions else 0].append(f"KZ-2025-local-{n + 1}")
    return Country(found)


async def found_country(ledger: Ledger, budgets: int, regions: int) -> Country:
    """Adopt the jurisdiction; open, approve, plan and fund every budget."""
    country = lay_out(budgets, regions)
    await world.accepted(ledger, world.ask(
        "AdoptJurisdiction", "rulebook", jurisdiction=world.jurisdiction(),
        effective_from="2024-01-01", day="2024-01-01"))  # fmt: skip
    for region, codes in country.regions.items():
        documents = []
        for code in codes:
            level = 1 if code == REPUBLIC else 2 if "oblast" in code else 3
            documents += [world.opening(code, region, level), *world.setting_up(code, level)]
        await world.accepted(ledger, *documents)
    await world.sequenced(ledger, 60)
    return country


def _transfer(random: Random, country: Country) -> dict:
    """A transfer of the republic or of a region's first budget to one below it."""
    regions = [codes for codes in country.regions.values() if len(codes) > 1]
    codes = random.choice(regions)
    return world.send(codes[0], random.choice(codes[1:]), "0.01", command_id=command_id())


def document(
    random: Random, country: Country, code: str, transfers: float = 0.0, tenge_max: int = 90
) -> dict:
    """One command of a treasury day on a budget: mostly payments against a contract.

    70 % payments (5 % of them backdated), 14 % receipts, 10 % contracts, 6 % plan changes.
    """
    if random.random() < transfers:
        return _transfer(random, country)
    choice, key, day = random.random(), command_id(), world.DAY
    amount = f"{random.randrange(tenge_max)}.{random.randrange(1, 100):02}"
    if choice < 0.70:
        on = random.choice(EARLIER) if random.random() < 0.05 else day
        return {**world.pay(code, amount, command_id=key), "value_date": on}
    if choice < 0.84:
        return world.ask("CreditReceipt", code, line=world.REVENUE, amount=amount, value_date=day,
                         command_id=key)  # fmt: skip
    if choice < 0.94:
        return world.ask("RegisterCommitment", code, contract=f"N-{key[-12:]}", amount="0.01",
                         line=world.SPENDING, effective_from=day, command_id=key)  # fmt: skip
    change = [{"month": "2025-06", "amount": "-0.01"}]
    return world.ask("ChangePlan", code, effective_from=day, command_id=key,
                     lines=[{"line": world.TRANSFERS, "payments": change}])  # fmt: skip


def documents(country: Country, many: int, seed: int, *, hot: bool = False,
              transfers: float = 0.0, tenge_max: int = 90) -> list[dict]:  # fmt: skip
    """Seeded commands on random budgets, or all on the last one."""
    random, codes = Random(seed), country.codes
    return [document(random, country, codes[-1] if hot else random.choice(codes), transfers,
                     tenge_max) for _ in range(many)]  # fmt: skip


def read_all(ledger: Ledger, found: Sequence[dict]) -> list[Command]:
    """Read documents as commands."""
    return [ledger.read(one) for one in found]
