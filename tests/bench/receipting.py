"""What receipts and personal data cost the append, rounds in turn with plain postings."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ledger.events import Command
from ledger.service import Ledger
from ledger.store.answers import Answer
from ledger.store.keys import Keys
from ledger.store.receipting import Receipting
from tests.bench.country import Country, documents, read_all
from tests.bench.driving import drive
from tests.bench.ground import Ground, clock
from tests.bench.table import Row, compared
from tests.store.world import sequenced

CALLERS = 256
PERSON = {"payee_name": "Өмірзақов Нұрлан", "payee_number": "850101300124"}


class Receipted:
    """A ledger whose every answer is waited for together with its receipt."""

    def __init__(self, ledger: Ledger, receipting: Receipting) -> None:
        """Take the ledger and what signs its answers."""
        self.ledger, self.receipting = ledger, receipting

    async def submit(self, commands: Sequence[Command]) -> list[Answer]:
        """Post commands and have their receipts made."""
        answers = await self.ledger.submit(commands)
        await self.receipting.issue(answers)
        return answers


async def _round(
    ledger: Ledger, country: Country, many: int, seed: int,
    through: Ledger | Receipted, annex: dict[str, str] | None = None,
) -> float:  # fmt: skip
    """Return events a second of one round."""
    found = documents(country, many, seed)
    if annex is not None:
        found = [{**one, "annex": annex} for one in found]
    driven = await drive(through, read_all(ledger, found), CALLERS)
    await sequenced(ledger, 120)
    return driven.rate


async def receipts(ground: Ground) -> list[Row]:
    """Append with a receipt for every answer, and with an annex in every command, ÷ plain."""
    receipted, annexed, many = [], [], ground.events
    async with ground.country() as (dsn, country), Ledger(dsn, clock=clock) as ledger:
        with tempfile.TemporaryDirectory(prefix="qazyna-bench-keys-") as folder:
            keys = Keys(Path(folder) / "notary.key")
            keys.create("bench.example/log")
            receipting = Receipting(
                ledger.database, clock, Keys(Path(folder) / "receipts.key"), keys
            )
            signed = Receipted(ledger, receipting)
            await _round(ledger, country, many // 2, 0, signed)
            for n in range(1, 2 * ground.rounds + 1):
                plain = await _round(ledger, country, many, 10 * n, ledger)
                rate = await _round(ledger, country, many, 10 * n + 1, signed)
                receipted.append((rate, plain))
                rate = await _round(ledger, country, many, 10 * n + 2, ledger, PERSON)
                annexed.append((rate, plain))
    name = f"append, {CALLERS} callers"
    return [
        compared("receipts", f"{name}: a receipt for every answer ÷ none", "events/s", receipted),
        compared("receipts", f"{name}: an annex in every command ÷ none", "events/s", annexed),
    ]
