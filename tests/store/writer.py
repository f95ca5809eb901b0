"""One of several processes that post to the same budgets: `python -m tests.store.writer DSN N`.

Every process asks the same shared commands in an order of its own, and others that only it asks.
It prints a line of JSON for each answer: command id, kind of outcome, budget, position.
"""

import asyncio
import json
import random
import sys
from uuid import UUID

from ledger.service import Ledger
from tests.store.world import BUDGETS, OBLAST, OBLAST_2, RAYON, RAYON_2, REPUBLIC, Clock, pay, send

ROUTES = [(REPUBLIC, OBLAST), (REPUBLIC, OBLAST_2), (OBLAST, RAYON), (OBLAST_2, RAYON_2),
          (RAYON, OBLAST), (RAYON_2, OBLAST_2)]  # fmt: skip


def commands(seed: str, count: int) -> list[dict]:
    """The same commands for the same seed: payments that compete for a small contract, others,
    transfers to and fro.
    """
    dice = random.Random(seed)
    made = []
    for _ in range(count):
        command_id = UUID(int=dice.getrandbits(128))
        luck = dice.random()
        if luck < 0.3:
            made.append(send(*dice.choice(ROUTES), command_id=command_id))
        else:
            budget = RAYON if luck < 0.5 else dice.choice(list(BUDGETS))
            contract = "SMALL" if luck < 0.6 else "C1"
            made.append(pay(budget, contract=contract, command_id=command_id))
    return made


async def main(dsn: str, number: str) -> None:
    asked = commands("shared", 60) + commands(f"own {number}", 140)
    random.Random(number).shuffle(asked)
    async with Ledger(dsn, clock=Clock()) as ledger:
        queue = iter(asked)

        async def client():
            for one in queue:
                (answer,) = await ledger.submit([ledger.read(one)])
                status = getattr(answer, "status", None) or answer.code
                told = [one["command_id"], status, getattr(answer, "replayed", None),
                        one["budget"], getattr(answer, "position", None)]  # fmt: skip
                sys.stdout.write(json.dumps(told) + "\n")

        await asyncio.gather(*(client() for _ in range(16)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
