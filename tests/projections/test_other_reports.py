"""Transfers told by both sides, special accounts, exemptions and warnings."""

from datetime import date
from typing import Any

import pytest

from ledger.errors import NotFound
from projections import budget_execution
from projections.rebuild import rebuild
from projections.special_accounts import account_statement
from projections.transfers import pairing
from tests.projections.conftest import jurisdiction
from tests.projections.example import BUDGET, P, Q, post_example
from tests.projections.test_audit import open_pair

REPUBLIC, OBLAST = "KZ-2025-republic", "KZ-2025-oblast-19"


async def test_the_pairing_shows_what_each_act_says_and_the_money(book: Any) -> None:
    await open_pair(book)

    async def say(budget: str, day: str, amount: str, **fields: Any) -> None:
        pays = budget == REPUBLIC
        await book.accept(
            "SetTransfer", budget, day, transfer="subvention", effective_from="2025-01-01",
            peer=OBLAST if pays else REPUBLIC, side="pays" if pays else "receives",
            amount=amount, capacity="parliament" if pays else "maslikhat", **fields,
        )  # fmt: skip

    await say(REPUBLIC, "2025-01-04", "203587891000.00")
    await say(OBLAST, "2025-03-05", "203587891000.00")
    known = await book.applied()
    await say(OBLAST, "2025-06-05", "183287891000.00")
    await book.accept(
        "SendTransfer",
        REPUBLIC,
        "2025-06-06",
        transfer="subvention",
        to=OBLAST,
        line=["expenditure", "15"],
        to_line=["revenue", "4"],
        amount="10.00",
        value_date="2025-06-06",
    )
    await book.applied()
    async with book.reader() as connection:
        for day, ask, difference in (
            (date(2025, 3, 5), {}, 0), (date(2025, 6, 5), {}, -20_300_000_00_000),
            (None, {"known": known}, 0), (date(2025, 3, 4), {}, None),
        ):  # fmt: skip
            for budget in (OBLAST, REPUBLIC):
                pairs = await pairing(connection, budget, day, **ask)
                assert [pair.difference_minor for pair in pairs] == [difference]
        (pair,) = await pairing(connection, OBLAST)
    assert (pair.payer, pair.receiver, pair.transfer) == (REPUBLIC, OBLAST, "subvention")
    assert (pair.sent_minor, pair.received_minor) == (1000, 1000)


async def test_an_account_statement_has_balances(book: Any) -> None:
    await book.accept("OpenBudget", BUDGET, "2024-12-20", region=1, level=3, year=2025, title="t")
    await book.accept(
        "OpenSpecialAccount",
        BUDGET,
        "2025-01-01",
        account="KSN-7",
        owner="akim-7",
        purpose="greening",
        effective_from="2025-01-01",
    )
    await book.accept(
        "CreditSpecialAccount",
        BUDGET,
        "2025-02-03",
        account="KSN-7",
        amount="5.00",
        value_date="2025-02-03",
    )
    await book.accept(
        "DebitSpecialAccount",
        BUDGET,
        "2025-02-04",
        account="KSN-7",
        purpose="greening",
        amount="2.00",
        value_date="2025-02-04",
    )
    sequence = await book.applied()
    async with book.reader() as connection:
        statement = await account_statement(connection, BUDGET, "KSN-7")
        with pytest.raises(NotFound):
            await account_statement(connection, BUDGET, "KSN-8")
    assert [(m.amount_minor, m.balance_minor) for m in statement.movements] == [
        (0, 0), (500, 500), (-200, 300)]  # fmt: skip
    assert (
        statement.purpose,
        statement.owner,
        statement.status,
        statement.balance_minor,
        statement.sequence,
    ) == ("greening", "akim-7", "open", 300, sequence)


async def test_exempt_and_cuttable_amounts_and_the_room_under_ten_per_cent(book: Any) -> None:
    await post_example(book)
    await book.accept("SetExemptList", BUDGET, "2025-12-22", capacity="maslikhat",
                      effective_from="2025-01-01", entries=[
                          {"line": Q, "name": "Q"}, {"name": "no code yet"}])  # fmt: skip
    await book.applied()
    async with book.reader() as connection:
        found = await budget_execution.exempt(
            connection, book.ledger.rules, BUDGET, date(2025, 7, 1)
        )
    unit = 100_000
    assert (found.exempt_minor // unit, found.cuttable_minor // unit) == (1100, 1200)
    assert (found.sequestered_minor // unit, found.headroom_minor) == (60, 60 * unit - 1)
    assert found.unresolved == ["no code yet"]
    assert {line.line: line.exempt for line in found.lines} == {tuple(P): False, tuple(Q): True}


async def test_warnings_are_counted_and_listed(book: Any) -> None:
    document = jurisdiction()
    for control in document["controls"]:
        control["mode"] = "warn"
    await book.accept(
        "AdoptJurisdiction",
        "rulebook",
        "2024-01-02",
        jurisdiction=document,
        effective_from="2024-01-02",
    )
    answers = await post_example(book)
    assert answers["10"].status == "accepted"
    sequence = await book.applied()
    async with book.reader() as connection:
        rules = book.ledger.rules
        live = await budget_execution.report(connection, rules, budget=BUDGET)
        known = await budget_execution.report(connection, rules, budget=BUDGET, known=sequence)
        (warned, *_) = listed = await budget_execution.warnings(connection, BUDGET)
    assert live.warnings == known.warnings == len(listed) >= 1
    assert (warned.kind, warned.line) == ("budget.payment.executed", tuple(P))
    assert warned.flags
    rebuilt = await rebuild(book.ledger.database, "budget_execution")
    assert (rebuilt.swapped, rebuilt.differences) == (True, ())
