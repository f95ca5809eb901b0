"""The live tables, the events as known at a sequence and a plain fold in Python agree."""

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

from projections import budget_execution
from tests.projections.traffic import BUDGET, open_budget, post_traffic, traffic

SEED = 20250105


def plain_fold(events: list[Any], on: date, adopted: date | None, known: int) -> dict[Any, Any]:
    """The same sums from the typed events alone: {line: {measure: minor}}."""
    found: dict[Any, Any] = defaultdict(lambda: defaultdict(int))
    for stored in events:
        moved = stored.event().movement()
        if (
            stored.sequence > known
            or moved.line is None
            or not moved.amounts
            or moved.effective_from > on
            or (adopted and moved.adopted_on > adopted)
        ):
            continue
        sums = found[moved.line]
        for measure, amount in moved.amounts.items():
            if measure.startswith("plan_"):
                sums[f"{measure}_year"] += amount
                sums[measure] += amount if moved.month <= on else 0
                continue
            sums[measure] += amount
            if measure == "accepted":
                sums["unpaid"] += amount
            if measure == "executed" and moved.contract:
                sums["unpaid"] -= amount
    return found


async def test_live_known_and_a_plain_fold_agree_for_random_questions(book: Any) -> None:
    random = Random(SEED)
    await open_budget(book)
    documents = traffic(random, book, 400)
    seen = []
    for start in range(0, 400, 100):
        await post_traffic(book, documents[start : start + 100])
        sequence = await book.applied()
        for _ in range(12):
            day = date(2025, 1, 1) + timedelta(random.randrange(365))
            adopted = date(2025, 1, 1) + timedelta(random.randrange(-20, 365))
            question = {"effective": day, "adopted": random.choice((None, adopted))}
            async with book.reader() as connection:
                ask = {"budget": BUDGET, **question}
                rules = book.ledger.rules
                live = await budget_execution.report(connection, rules, **ask)
                known = await budget_execution.report(connection, rules, known=sequence, **ask)
            assert live.sequence == sequence
            assert replace(known, known=None) == live
            seen.append((question, live))
    events = await book.ledger.events(0, 100_000)
    for question, live in seen:
        want = plain_fold(events, question["effective"], question["adopted"], live.sequence)
        assert {row.line for row in live.rows} == set(want)
        for row in live.rows:
            for name in ("approved", "amended", "adjusted", "plan_receipts", "plan_payments",
                         "plan_payments_year", "plan_commitments", "accepted", "unpaid",
                         "executed"):  # fmt: skip
                assert getattr(row, name) == want[row.line][name], (SEED, question, row.line, name)
        async with book.reader() as connection:  # the same answer, now in hindsight
            again = await budget_execution.report(
                connection, book.ledger.rules, budget=BUDGET, known=live.sequence, **question
            )
        assert replace(again, known=None) == live
    assert len(seen) == 48
