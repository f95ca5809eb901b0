"""Transfers between budgets: what each side's act says, and the money that moved.

Law: K25 76-83; I21. Two acts may differ: the difference is shown and nothing is overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from projections.registry import sql

ACT = "budget.transfer.set"
Key = tuple[str, str, str]
"""A kind of transfer, its payer and its receiver."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one act in force says of a transfer, or of one purpose of it, in minor units."""

    amount_minor: int
    purpose: str | None
    act: str | None
    adopted_on: date
    effective_from: date
    sequence: int


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one side's acts in force say in sum, and each of them."""

    amount_minor: int
    said: tuple[Said, ...]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One kind of transfer between two budgets.

    `difference_minor` = the receiver's figure - the payer's, None where a side says nothing.
    """

    transfer: str
    payer: str
    receiver: str
    payer_says: Side | None
    receiver_says: Side | None
    difference_minor: int | None
    sent_minor: int
    received_minor: int


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """The pairing report of a budget and the sequence for which it is true."""

    budget: str
    sequence: int
    pairs: list[Pair]


async def pairing_report(
    connection: Any, budget: str, adopted: date | None = None, known: int | None = None
) -> Pairing:
    """Return both sides of every transfer of a budget, as acts adopted by a day say.

    The act in force is the latest by (adopted_on, sequence); `known` is a sequence.
    """
    rows = await connection.fetch(sql("transfers", "facts"), budget, adopted, known)
    applied = rows[0]["applied"] if rows else 0
    sequence = applied if known is None else min(known, applied)
    return compose(budget, sequence, [row for row in rows if row["sequence"] is not None])


def compose(budget: str, sequence: int, rows: Iterable[Any]) -> Pairing:
    """Return the pairing of facts in the order of their sequence; pure."""
    said: dict[Key, dict[str, dict[str | None, Said]]] = {}
    moved: dict[Key, dict[str, int]] = {}
    for row in rows:
        key = (row["transfer"], row["payer"], row["receiver"])
        sides, sums = said.setdefault(key, {}), moved.setdefault(key, {})
        if row["kind"] == ACT:
            _say(sides.setdefault(row["side"], {}), row)
        else:
            sums[row["side"]] = sums.get(row["side"], 0) + row["amount_minor"]
    pairs = [_pair(key, said[key], moved[key]) for key in sorted(said)]
    return Pairing(budget=budget, sequence=sequence, pairs=pairs)


async def pairing(
    connection: Any, budget: str, adopted: date | None = None, known: int | None = None
) -> list[Pair]:
    """Return the pairs of the pairing report."""
    return (await pairing_report(connection, budget, adopted, known)).pairs


def _say(purposes: dict[str | None, Said], row: Any) -> None:
    """Let the latest act of a purpose speak."""
    new = Said(
        amount_minor=row["amount_minor"], purpose=row["purpose"], act=row["act"],
        sequence=row["sequence"], adopted_on=row["adopted_on"],
        effective_from=row["effective_from"],
    )  # fmt: skip
    old = purposes.get(new.purpose)
    if old is None or (old.adopted_on, old.sequence) < (new.adopted_on, new.sequence):
        purposes[new.purpose] = new


def _pair(key: Key, sides: dict[str, dict[str | None, Said]], sums: dict[str, int]) -> Pair:
    """Put the two sides together."""
    pays, receives = (
        Side(amount_minor=sum(s.amount_minor for s in said.values()),
             said=tuple(sorted(said.values(), key=lambda s: s.purpose or "")))
        if (said := sides.get(side)) else None for side in ("pays", "receives")
    )  # fmt: skip
    return Pair(
        transfer=key[0], payer=key[1], receiver=key[2], payer_says=pays, receiver_says=receives,
        sent_minor=sums.get("pays", 0), received_minor=sums.get("receives", 0),
        difference_minor=receives.amount_minor - pays.amount_minor if pays and receives else None,
    )  # fmt: skip
