"""A poison event parks its budget for one projection; nothing else stops, nothing is skipped."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from ledger.errors import NotFound
from ledger.events import typed_state
from projections import budget_execution, runner
from projections.audit_trail import fold, trail
from projections.parking import parked, unpark
from projections.rebuild import rebuild
from projections.registry import projections
from projections.runner import BudgetParked
from tests.projections.traffic import BUDGET, RECEIPTS, open_budget

OTHER = "KZ-2025-rayon-8"
POISON = "0199a000-0000-7000-8000-00000000dead"


async def credit(book: Any, budget: str, day: str, **fields: Any) -> None:
    await book.accept(
        "CreditReceipt", budget, day, line=RECEIPTS, amount="1.00", value_date=day, **fields
    )


def poisoned(body: bytes) -> Any:
    if POISON.encode() in body:
        raise ValueError("poison")
    return typed_state(body)


async def test_a_poison_event_parks_only_its_budget_and_unpark_catches_up(
    book: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, budget in enumerate((BUDGET, OTHER)):
        await open_budget(book, budget, region=number + 1)
    await book.applied()
    monkeypatch.setattr(fold, "typed_state", poisoned)
    await credit(book, BUDGET, "2025-02-01")
    await credit(book, BUDGET, "2025-02-02", id=POISON)
    await credit(book, BUDGET, "2025-02-03")
    await credit(book, OTHER, "2025-02-04")
    position = await book.ledger.position(BUDGET)
    await book.runner.wait_for(OTHER, await book.ledger.position(OTHER))
    with pytest.raises(BudgetParked):
        await book.runner.wait_for(BUDGET, position)
    assert await book.runner.wait_for(BUDGET, position, projection="budget_execution")
    async with book.reader() as connection:
        rows = await parked(connection)
        assert [(row["name"], row["budget"]) for row in rows] == [("audit_trail", BUDGET)]
        assert "poison" in rows[0]["error"]
        seen = await trail(connection, budget=BUDGET, kind="budget.receipt.credited")
        assert len(seen) == 2  # of opening and of 1 February: the poison and what follows wait
        assert len(await trail(connection, budget=OTHER, kind="budget.receipt.credited")) == 2
    assert not await unpark(book.ledger.database, "audit_trail", BUDGET)
    monkeypatch.undo()
    assert await unpark(book.ledger.database, "audit_trail", BUDGET)
    await book.applied()
    with pytest.raises(NotFound):
        await unpark(book.ledger.database, "audit_trail", BUDGET)
    async with book.reader() as connection:
        assert len(await trail(connection, budget=BUDGET, kind="budget.receipt.credited")) == 4
    assert (await rebuild(book.ledger.database, "audit_trail")).differences == ()


async def test_a_poison_of_the_set_wise_path_parks_and_the_report_says_how_far_it_is_true(
    book: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, budget in enumerate((BUDGET, OTHER)):
        await open_budget(book, budget, region=number + 1)
    good = await book.applied()
    await book.admin(
        "ALTER TABLE budget_execution_1.sums ADD CONSTRAINT poison"
        " CHECK (region = 2 OR effective_from <> '2025-02-02')"
    )
    await credit(book, BUDGET, "2025-02-02")
    await credit(book, OTHER, "2025-02-02")
    await book.runner.wait_for(OTHER, await book.ledger.position(OTHER))
    async with book.reader() as connection:
        mine, other = [
            await budget_execution.report(connection, book.ledger.rules, budget=budget)
            for budget in (BUDGET, OTHER)
        ]
    assert mine.sequence == good
    assert other.sequence > good
    assert (mine.totals[0].executed, other.totals[0].executed) == (40_000_000, 40_000_100)
    for _ in range(100):
        if REGISTRY.get_sample_value(
            "qazyna_projection_parked_budgets", {"projection": "budget_execution"}
        ):
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("no metric")
    await book.admin("ALTER TABLE budget_execution_1.sums DROP CONSTRAINT poison")
    await book.runner.stop()
    await book.runner.start()  # a new start tries again
    async with book.reader() as connection:
        while await parked(connection):  # noqa: ASYNC110 - another task of ours unparks
            await asyncio.sleep(0.01)
    await book.applied()
    assert (await rebuild(book.ledger.database, "budget_execution")).differences == ()


async def test_a_kind_nobody_decided_about_parks(
    book: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_budget(book)
    await book.applied()
    made = tuple(
        replace(p, handled=p.handled - {"budget.receipt.credited"})
        if p.name == "budget_execution" else p for p in projections()
    )  # fmt: skip
    await book.runner.stop()
    monkeypatch.setattr(runner, "projections", lambda: made)
    await book.runner.start()
    await credit(book, BUDGET, "2025-02-02")
    with pytest.raises(BudgetParked):
        await book.runner.wait_for(BUDGET, await book.ledger.position(BUDGET))
