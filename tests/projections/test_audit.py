"""The trail tells who, what, when, by which act and why, with the figures before and after."""

from datetime import date
from typing import Any

from projections.audit_trail import trail
from tests.projections.example import BUDGET, P, post_example

UNIT = 100_000


def told(row: Any, subject: str = "line") -> dict[str, tuple[int, int]]:
    return {
        change.measure: (change.before_minor // UNIT, change.after_minor // UNIT)
        for change in row.changes
        if change.subject == subject
    }


async def test_before_and_after_of_a_line_a_contract_and_the_cash(book: Any) -> None:
    await post_example(book)
    await book.applied()
    async with book.reader() as connection:
        rows = await trail(connection, budget=BUDGET, line=tuple(P), limit=1000)
        contract = await trail(connection, contract="C1")
    by_kind = {row.kind: row for row in rows}
    assert told(by_kind["budget.line.adjusted"]) == {"adjusted": (1000, 900)}
    assert told(by_kind["budget.sequestration.applied"]) == {"adjusted": (1200, 1140)}
    recovered = by_kind["budget.cash_expenditure.recovered"]
    assert told(recovered) == {"executed": (200, 180)}
    assert told(recovered, "contract") == {"executed": (200, 180)}
    assert told(recovered, "cash") == {"cash": (700, 720)}
    adjusted = by_kind["budget.line.adjusted"]  # follows its header, and knows who and why
    assert (adjusted.actor, adjusted.capacity, adjusted.reason, adjusted.act_date) == (
        "u1", "akimat", "slow start of P", date(2025, 3, 6))  # fmt: skip
    refused = by_kind["ledger.command.refused"]
    assert refused.refused == "registration-closed"
    assert [row.refused for row in contract] == [None, None, None, "limit-exceeded"]
    assert [row.sequence for row in rows] == sorted(row.sequence for row in rows)


async def test_the_trail_is_asked_by_actor_act_kind_command_and_pages(book: Any) -> None:
    answers = await post_example(book)
    await book.applied()
    async with book.reader() as connection:
        everything = await trail(connection, budget=BUDGET, limit=1000)
        assert await trail(connection, actor="u1", budget=BUDGET, limit=1000) == everything
        amended = await trail(connection, act="act of 2025-04-10")
        assert {row.kind for row in amended} == {
            "budget.amended", "budget.line.amended", "budget.plan.month.changed"}  # fmt: skip
        assert await trail(connection, command_id=answers["7"].command_id) == amended
        assert len(await trail(connection, kind="budget.line.approved")) == 3
        paged, after = [], 0
        while rows := await trail(connection, budget=BUDGET, after_sequence=after, limit=7):
            paged += rows
            after = rows[-1].sequence
        assert paged == everything
        assert await trail(connection, line=("expenditure", "02")) == []


async def test_the_other_side_of_a_transfer_knows_who_sent_it(book: Any) -> None:
    await open_pair(book)
    await book.accept(
        "SendTransfer",
        "KZ-2025-republic",
        "2025-02-01",
        transfer="subvention",
        to="KZ-2025-oblast-19",
        line=["expenditure", "15"],
        value_date="2025-02-01",
        to_line=["revenue", "4"],
        amount="10.00",
        reason="schedule",
    )
    await book.applied()
    async with book.reader() as connection:
        rows = await trail(connection, kind="budget.transfer.received")
    assert [(row.budget, row.actor, row.reason) for row in rows] == [
        ("KZ-2025-oblast-19", "u1", "schedule")]  # fmt: skip


async def open_pair(book: Any) -> None:
    """The republic with money, and an oblast below it."""
    republic, oblast = "KZ-2025-republic", "KZ-2025-oblast-19"
    await book.accept("OpenBudget", republic, "2024-12-01", region=0, level=1, year=2025, title="R")
    await book.accept("OpenBudget", oblast, "2024-12-01", region=19, level=2, year=2025, title="O")
    await book.accept("ApproveBudget", republic, "2024-12-04", capacity="parliament", balance="0",
                      effective_from="2025-01-01", lines=[
                          {"line": ["revenue", "1"], "amount": "1000.00"},
                          {"line": ["expenditure", "15"], "amount": "1000.00"}])  # fmt: skip
    await book.accept(
        "SetPlan",
        republic,
        "2025-01-02",
        effective_from="2025-01-02",
        lines=[
            {"line": ["revenue", "1"], "receipts": [{"month": "2025-01", "amount": "1000.00"}]},
            {
                "line": ["expenditure", "15"],
                "payments": [{"month": "2025-01", "amount": "1000.00"}],
            },
        ],
    )
    await book.accept(
        "CreditReceipt",
        republic,
        "2025-01-03",
        line=["revenue", "1"],
        amount="1000.00",
        value_date="2025-01-03",
    )
