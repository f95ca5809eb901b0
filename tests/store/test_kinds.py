"""Every command driven through the store: the typed columns are what the stored bytes say."""

import pytest

from ledger.cells import Cell
from ledger.events import COMMANDS, EVENTS, MEASURES, decode, log_id
from ledger.service import Ledger
from tests.store.world import (
    DAY,
    OBLAST,
    RAYON,
    REVENUE,
    SPENDING,
    TRANSFERS,
    accepted,
    ask,
    assert_sound,
    jurisdiction,
    pay,
    query,
    send,
    submit,
)

LATER = {"value_date": DAY, "reason": "r"}


def every_command():
    """Commands that are all accepted one after the other, each kind of them."""
    paid = {**pay(amount="10"), "annex": {"payee_name": "Әлия", "payee_number": "1"}}
    account = {"account": "KSN-7", "value_date": DAY}
    months = [{"month": "2025-01", "amount": "-1"}, {"month": "2025-06", "amount": "1"}]
    change = [{"line": SPENDING, "change": "-5"}, {"line": TRANSFERS, "change": "5"}]
    maslikhat = {"capacity": "maslikhat", "effective_from": DAY}
    return [
        ask("AdoptJurisdiction", "rulebook", jurisdiction=jurisdiction(), effective_from=DAY),
        ask("PublishClassifier", "rulebook", title="receipts", effective_from="2026-01-01",
            codes=[{"line": ["revenue", "1"], "title": "tax"}]),
        ask("SetExemptList", "rulebook", capacity="parliament", effective_from=DAY,
            entries=[{"name": "pensions"}]),
        ask("SetExemptList", **maslikhat, entries=[{"name": "schools"}]),
        ask("ResolveExemptName", **maslikhat, exempt_name="schools",
            line=["expenditure", "04", "464"]),
        paid,
        ask("RejectPayment", line=SPENDING, amount="3", effective_from=DAY, reason="r",
            contract="C1"),
        ask("ReturnPayment", payment=paid["command_id"], amount="1", **LATER),
        ask("RecoverCashExpenditure", payment=paid["command_id"], amount="2", **LATER),
        ask("EraseAnnex", erased_command=paid["command_id"], reason="r"),
        ask("RegisterCommitment", contract="C2", line=SPENDING, amount="5", effective_from=DAY),
        ask("ChangeCommitment", contract="C2", change="-1", effective_from=DAY, reason="r"),
        ask("CancelCommitment", contract="C2", effective_from=DAY, reason="r"),
        ask("ChangePlan", effective_from=DAY,
            lines=[{"line": TRANSFERS, "payments": months},
                   {"line": REVENUE, "receipts": [{"month": "2025-06", "amount": "1"}]}]),
        ask("CreditReceipt", line=[*REVENUE, "01", "1"], amount="7", value_date=DAY),
        ask("RefundReceipt", line=[*REVENUE, "01", "1"], amount="1", **LATER),
        ask("OpenSpecialAccount", account="KSN-7", purpose="trees", owner="akim-1",
            effective_from=DAY),
        ask("CreditSpecialAccount", amount="9", **account),
        ask("DebitSpecialAccount", amount="9", purpose="trees", **account),
        ask("CloseSpecialAccount", account="KSN-7", effective_from=DAY),
        ask("SetTransfer", **maslikhat, transfer="subvention", peer=OBLAST, side="receives",
            amount="5"),
        send(OBLAST, RAYON),
        ask("SequesterBudget", capacity="akimat", effective_from=DAY, reason="r",
            lines=[{"line": TRANSFERS, "amount": "3"}],
            plans=[{"line": TRANSFERS, "payments": [{"month": "2025-01", "amount": "-4"}]}]),
        ask("AdjustBudget", capacity="akimat", effective_from=DAY, reason="r", lines=change,
            plans=[{"line": SPENDING, "commitments": [{"month": "2025-01", "amount": "-5"}],
                    "payments": [{"month": "2025-01", "amount": "-5"}]}]),
        ask("AmendBudget", **maslikhat, reason="r", balance="0",
            lines=[{"line": SPENDING, "amount": "10000000"},
                   {"line": TRANSFERS, "amount": "10000000"}]),
    ]  # fmt: skip


async def columns(dsn, command_id):
    """The stored rows of a command with their lines' paths."""
    return await query(dsn, """
        SELECT e.*, h.code, l.path FROM ledger.events AS e
        INNER JOIN ledger.heads AS h ON h.region = e.region AND h.log = e.log
        LEFT JOIN ledger.lines AS l ON l.region = e.region AND l.log = e.log AND l.line = e.line
        WHERE e.command_id::text = $1 ORDER BY e.n""", command_id)  # fmt: skip


async def test_the_columns_of_every_kind_are_what_its_body_says(dsn, clock):
    asked = every_command()
    async with Ledger(dsn, clock=clock) as ledger:
        for document in asked:
            (answer,) = await submit(ledger, document)
            assert answer.status == "accepted", answer
        (refused,) = await submit(ledger, pay(amount="99999999"))
        assert refused.status == "refused"
        everything = await query(dsn, "SELECT DISTINCT command_id::text FROM ledger.events")
    kinds, commands = set(), {"OpenBudget"}
    for row in everything:
        for number, event in enumerate(await columns(dsn, row["command_id"])):
            fact = decode(event["body"], event["code"], event["position"])
            movement = fact.movement()
            kinds.add(fact.kind)
            commands |= {fact.asked.name} if fact.asked else set()
            assert (
                event["n"] == (0 if event["code"] == RAYON and event["peer_log"] else number)
                or fact.kind == "budget.transfer.received"
            )
            assert (event["kind"], event["command_id"], event["recorded_at"]) == (
                fact.kind,
                fact.command_id,
                fact.recorded_at,
            )
            assert {name: event[name] for name in MEASURES} == {
                name: movement.amounts.get(name) for name in MEASURES
            }
            assert event["path"] == (list(movement.line) if movement.line else None)
            assert (event["effective_from"], event["adopted_on"], event["month"]) == (
                movement.effective_from,
                movement.adopted_on,
                movement.month,
            )
            assert (event["contract"], event["account"]) == (movement.contract, movement.account)
            own = movement.payment == fact.command_id
            assert event["payment"] == (None if own else movement.payment)
            peer = getattr(fact, "peer", None)
            assert event["peer_log"] == (log_id(peer) if peer else None)
            assert event["peer_position"] == getattr(fact, "peer_position", None)
    assert kinds == set(EVENTS)
    assert commands == set(COMMANDS)
    await assert_sound(dsn)


async def test_every_command_repeats_its_answer_from_a_cold_log(dsn, clock):
    asked = every_command()
    async with Ledger(dsn, clock=clock) as ledger:
        first = [(await submit(ledger, document))[0] for document in asked]
    async with Ledger(dsn, clock=clock) as cold:
        for document, answer in zip(asked, first, strict=True):
            (again,) = await submit(cold, document)
            assert vars(again) == {**vars(answer), "replayed": True}


@pytest.mark.parametrize("command", [
    ask("ApproveBudget", "KZ-2025-rayon-8", capacity="maslikhat", effective_from=DAY, lines=[]),
    ask("AmendBudget", capacity="maslikhat", effective_from=DAY, lines=[], reason="r"),
    ask("SetExemptList", capacity="maslikhat", effective_from=DAY, entries=[]),
    ask("PublishClassifier", "rulebook", title="t", effective_from=DAY, codes=[]),
    ask("RejectPayment", line=[*SPENDING, "999"], amount="1", effective_from=DAY, reason="r"),
    ask("AdoptJurisdiction", "rulebook", jurisdiction={}, effective_from=DAY),
], ids=lambda command: command["command"])  # fmt: skip
async def test_odd_commands_are_stored_and_repeat_too(dsn, clock, command):
    async with Ledger(dsn, clock=clock) as ledger:
        if command["command"] == "ApproveBudget":
            await accepted(ledger, ask("OpenBudget", command["budget"], region=1, level=3,
                                       year=2025, title="t"))  # fmt: skip
        (first,) = await submit(ledger, command)
        assert first.status in ("accepted", "refused"), first
    async with Ledger(dsn, clock=clock) as cold:
        (again,) = await submit(cold, command)
        assert vars(again) == {**vars(first), "replayed": True}
    for event in await columns(dsn, command["command_id"]):
        movement = decode(event["body"], event["code"], event["position"]).movement()
        assert event["path"] == (list(movement.line) if movement.line else None)
    await assert_sound(dsn)


async def test_a_stored_cell_reads_as_it_was_written(dsn):
    for row in await query(dsn, "SELECT kind, key, number, content FROM ledger.cells"):
        cell = Cell.read((row["kind"], row["key"]), row["number"], row["content"])
        assert cell.encode() == row["content"]
