"""Seeded traffic on the five budgets of `tests.store.world`, and the dice that every run prints."""

import os
import random
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from tests.store.world import (
    BUDGETS,
    DAY,
    OBLAST,
    OBLAST_2,
    RAYON,
    RAYON_2,
    REPUBLIC,
    SPENDING,
    ask,
    pay,
    send,
)

SEED = int(os.environ.get("QAZYNA_SEED", "20261123"))
ROUTES = [(REPUBLIC, OBLAST), (REPUBLIC, OBLAST_2), (OBLAST, RAYON), (OBLAST_2, RAYON_2),
          (RAYON, OBLAST), (RAYON_2, OBLAST_2)]  # fmt: skip
SMALL = "20"
"""Room of the contract that all compete for, in tenge; each payment takes one."""
TOO_MUCH = "99000000.00"


def dice(name: str, seed: int = SEED) -> random.Random:
    """Chance for one purpose; its seed is printed, so that a failure can be played again."""
    sys.stdout.write(f"QAZYNA_SEED={seed} {name}\n")
    return random.Random(f"{seed} {name}")


def small_contracts() -> list[dict[str, Any]]:
    """One small contract a budget."""
    return [ask("RegisterCommitment", code, contract="SMALL", line=SPENDING, amount=SMALL,
                effective_from=DAY) for code in BUDGETS]  # fmt: skip


def traffic(
    chance: random.Random, *, transfers: float = 0.1, repeats: float = 0.02,
    shared: random.Random | None = None,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Payments (some of too much, some of the small contract), transfers, repeated commands.

    A repeat is one of the last ones, or one that every user of the same `shared` dice asks too.
    """
    past: list[dict[str, Any]] = []
    common = [_new(shared, transfers) for _ in range(12)] if shared else []
    while True:
        if past and chance.random() < repeats:
            yield chance.choice(common or past[-50:])
            continue
        made = _new(chance, transfers)
        past.append(made)
        yield made


def _new(chance: random.Random, transfers: float) -> dict[str, Any]:
    """One new command."""
    command_id = UUID(int=chance.getrandbits(128))
    if chance.random() < transfers:
        return send(*chance.choice(ROUTES), command_id=command_id)
    luck, budget = chance.random(), chance.choice([*BUDGETS, RAYON, RAYON])
    if luck < 0.1:
        return pay(budget, TOO_MUCH, command_id=command_id)
    return pay(budget, contract="SMALL" if luck < 0.3 else "C1", command_id=command_id)
