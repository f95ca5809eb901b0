"""The loader's door onto a ledger in this process, with its report folded from the events alone.

Independent of the projections: every figure is a sum of the stored events' movements.
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

from ledger.events import log_id
from ledger.money import to_text
from ledger.service import Ledger
from ledger.store.answers import Answer

ROOT = Path(__file__).parents[2]
MEASURES = ("approved", "amended", "adjusted", "plan_payments", "executed")


class LedgerDoor:
    """What `api.load` asks, answered by a ledger and its feed of events."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.sequence = 0
        self.events: list[tuple[int, str, Any]] = []

    async def adopt(self, jurisdiction: str) -> None:
        """Adopt the jurisdiction in a ledger that has none."""
        if self.ledger.rules.adopted is not None:
            return
        path = ROOT / "deploy" / "jurisdictions" / f"{jurisdiction}.toml"
        document = json.loads(json.dumps(tomllib.loads(path.read_text("utf-8")), default=str))
        [answer] = await self.submit([{
            "command": "AdoptJurisdiction", "command_id": "00000000-0000-4000-8000-000000000001",
            "budget": "rulebook", "actor": {"id": "test", "capacity": "government"},
            "act": {"id": path.name, "date": "2004-01-01"}, "effective_from": "2004-01-01",
            "jurisdiction": document,
        }], atomic=False)  # fmt: skip
        assert answer["status"] == "accepted", answer

    async def submit(self, documents: list[dict], *, atomic: bool) -> list[dict]:
        """Post and put each answer into the loader's terms."""
        answers = await self.ledger.submit([self.ledger.read(d) for d in documents], atomic=atomic)
        return [self._answer(answer) for answer in answers]

    @staticmethod
    def _answer(answer: Any) -> dict:
        if not isinstance(answer, Answer):
            refusal = {"code": answer.code, "message": answer.message}
            return {"status": "refused", "replayed": False, "refusal": refusal}
        refusal = answer.refusal and {"code": answer.refusal.code,
                                      "message": answer.refusal.message}  # fmt: skip
        return {"status": answer.status, "replayed": answer.replayed, "refusal": refusal}

    async def read(self) -> None:
        """Read the feed until it holds every committed event."""
        while True:
            stored = sum(found["position"] for found in await self.ledger.budgets())
            while found := await self.ledger.events(self.sequence, 5000):
                self.sequence = found[-1].sequence
                self.events += [(f.sequence, f.budget, f.event()) for f in found]
            if len(self.events) >= stored:
                return
            await asyncio.sleep(0.01)

    async def lines(
        self, budget: str, effective: date, *, adopted: date = date.max, known: int | None = None
    ) -> dict[tuple[str, ...], dict[str, int]]:
        """Sum the movements of each line, by legal effect, adoption and sequence."""
        await self.read()
        found: dict[tuple[str, ...], dict[str, int]] = {}
        for sequence, code, event in self.events:
            movement = event.movement()
            if code != budget or movement.line is None or (known and sequence > known):
                continue
            figures = found.setdefault(movement.line, dict.fromkeys(MEASURES, 0))
            if movement.counts_from <= effective and movement.adopted_on <= adopted:
                for name in MEASURES:
                    figures[name] += movement.amounts.get(name, 0)
        return found

    async def execution(self, budget: str, effective: date) -> list[dict]:
        """Return the report's rows as the loader reads them."""
        return [{"line": list(line), **{name: to_text(figures[name], 2) for name in MEASURES}}
                for line, figures in (await self.lines(budget, effective)).items()]  # fmt: skip

    async def payments(self, budget: str, line: list[str], effective: date) -> list[dict]:
        """Return what is left of a line's payments on a day, oldest first."""
        await self.read()
        left: dict[str, list] = {}
        for _, code, event in self.events:
            movement = event.movement()
            mine = code == budget and movement.line == tuple(line) and movement.payment
            if mine and movement.counts_from <= effective:
                entry = left.setdefault(str(movement.payment), [movement.counts_from, 0])
                entry[1] += movement.amounts.get("executed", 0)
        return [{"payment": payment, "value_date": day.isoformat(), "amount": to_text(abs(sum_), 2)}
                for payment, (day, sum_) in sorted(left.items(), key=lambda item: item[1][0])
                ]  # fmt: skip

    async def head(self, budget: str) -> int:
        """Return the budget's last position."""
        await self.read()
        found = await self.ledger.budgets()
        return next(f["position"] for f in found if log_id(f["code"]) == log_id(budget))
