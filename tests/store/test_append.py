"""The append: one decision a command, written whole, once, in its place."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
import pytest

from ledger import decision
from ledger.errors import NotFound, Overloaded, Unavailable
from ledger.events import link, log_id
from ledger.service import Ledger
from ledger.store import answers, append, cache, waiting
from ledger.store.answers import CommandIdReused
from tests.store.world import (
    BUDGETS,
    DAY,
    OBLAST,
    OBLAST_2,
    RAYON,
    RAYON_2,
    REPUBLIC,
    REVENUE,
    SPENDING,
    TRANSFERS,
    accepted,
    ask,
    assert_sound,
    jurisdiction,
    opening,
    pay,
    query,
    send,
    sequenced,
    setting_up,
    submit,
)


async def count(dsn, command_id) -> int:
    rows = await query(dsn, "SELECT 1 FROM ledger.events WHERE command_id = $1 AND n = 0",
                       UUID(command_id))  # fmt: skip
    return len(rows)


async def test_a_payment_takes_the_next_position_and_extends_the_chain(ledger, dsn):
    before = await ledger.position(RAYON)
    (answer,) = await accepted(ledger, pay())
    assert (answer.position, answer.events, answer.replayed) == (before + 1, 1, False)
    rows = await query(dsn, "SELECT position, hash, body FROM ledger.events WHERE log = $1 "
                       "ORDER BY position DESC LIMIT 2", log_id(RAYON))  # fmt: skip
    assert rows[0]["hash"] == link(rows[1]["hash"], log_id(RAYON), rows[0]["position"],
                                   rows[0]["body"])  # fmt: skip
    await assert_sound(dsn)


async def test_a_refusal_is_stored_with_a_position_and_blocks_no_neighbour(ledger, dsn):
    start = await ledger.position(RAYON)
    first, refused, third = await submit(ledger, pay(), pay(amount="99999999"), pay())
    assert [a.status for a in (first, refused, third)] == ["accepted", "refused", "accepted"]
    assert [a.position for a in (first, refused, third)] == [start + 1, start + 2, start + 3]
    assert refused.refusal.limits[0].limit == "cash"
    assert (await ledger.answer(RAYON, refused.command_id)).refusal == refused.refusal
    await assert_sound(dsn)


async def test_one_batch_writes_several_budgets_and_regions(ledger, dsn):
    answers = await asyncio.gather(
        *(submit(ledger, pay(code)) for _ in range(5) for code in BUDGETS))  # fmt: skip
    assert {a.status for (a,) in answers} == {"accepted"}
    await assert_sound(dsn)


@pytest.mark.parametrize(("sender", "to"), [(REPUBLIC, OBLAST), (OBLAST, RAYON)],
                         ids=["two regions", "one region"])  # fmt: skip
async def test_a_transfer_has_both_sides_and_each_names_the_other(ledger, dsn, sender, to):
    asked = send(sender, to)
    (answer,) = await accepted(ledger, asked)
    rows = await query(dsn, "SELECT region, log, position, peer_region, peer_log, peer_position "
                       "FROM ledger.events WHERE command_id = $1 ORDER BY kind DESC",
                       UUID(asked["command_id"]))  # fmt: skip
    assert len(rows) == 2
    sent, received = (tuple(row) for row in rows)
    assert sent[:3] == received[3:]
    assert sent[3:] == received[:3]
    assert sent[:3] == (BUDGETS[sender][0], log_id(sender), answer.position)
    assert received[1] == log_id(to)
    await assert_sound(dsn)


async def test_a_refused_transfer_is_stored_on_the_sender_only(ledger, dsn):
    start = await ledger.position(OBLAST)
    (answer,) = await submit(ledger, send(amount="99999999"))
    assert answer.status == "refused"
    assert await ledger.position(OBLAST) == start
    await assert_sound(dsn)


async def test_a_transfer_whose_second_side_cannot_be_written_has_no_first_side(ledger, dsn):
    asked = send()
    await query(dsn, "ALTER TABLE ledger.cells ADD CONSTRAINT no_money CHECK (region <> 1) "
                 "NOT VALID")  # fmt: skip
    (error,) = await submit(ledger, asked)
    assert error.code == "broken"
    assert await count(dsn, asked["command_id"]) == 0
    await query(dsn, "ALTER TABLE ledger.cells DROP CONSTRAINT no_money")
    (answer,) = await accepted(ledger, asked)
    assert not answer.replayed
    await assert_sound(dsn)


async def test_a_command_may_have_more_events_than_their_number_counts(
    ledger, dsn, clock, monkeypatch
):
    for place in ("rows", "checks"):  # no command of the five budgets has more events
        monkeypatch.setattr(f"ledger.store.{place}.NUMBER_MAX", 4)
    months = [{"month": f"2025-0{n}", "amount": "1" if n > 1 else "-7"} for n in range(1, 9)]
    asked = ask("ChangePlan", effective_from=DAY, lines=[{"line": SPENDING, "payments": months}])
    _, answer, _ = await accepted(ledger, pay(), asked, pay())
    rows = await query(dsn, "SELECT n FROM ledger.events WHERE command_id = $1 ORDER BY position",
                       UUID(asked["command_id"]))  # fmt: skip
    assert [row["n"] for row in rows] == [0, 1, 2, 3, 4, 4, 4, 4, 4]
    async with Ledger(dsn, clock=clock) as restarted:
        (again,) = await submit(restarted, asked)
    assert again == replace(answer, replayed=True)
    assert again.events == 9
    await assert_sound(dsn)


async def test_the_same_command_repeats_its_first_answer(ledger, dsn, clock):
    good, bad, transfer = pay(), pay(amount="99999999"), send(OBLAST, RAYON)
    first = await submit(ledger, good, bad, transfer)
    again = await submit(ledger, good, bad, transfer)
    async with Ledger(dsn, clock=clock) as restarted:
        cold = await submit(restarted, good, bad, transfer)
        alone = [(await submit(restarted, one))[0] for one in (good, bad, transfer)]
    for repeated in (again, cold, alone):
        assert [a.replayed for a in repeated] == [True] * 3
        for old, new in zip(first, repeated, strict=True):
            assert vars(new) == {**vars(old), "replayed": True}
    for one in (good, bad, transfer):
        assert await count(dsn, one["command_id"]) == 1
    await assert_sound(dsn)


async def test_the_same_id_with_another_body_or_budget_is_reused(ledger, dsn, clock):
    used = pay()
    await accepted(ledger, used)
    other_body = pay(amount="2.00", command_id=used["command_id"])
    other_log = pay(OBLAST, command_id=used["command_id"])
    transfer = send(OBLAST, RAYON)
    await accepted(ledger, transfer)
    on_receiver = pay(RAYON, command_id=transfer["command_id"])
    on_sender = pay(OBLAST, command_id=transfer["command_id"])
    async with Ledger(dsn, clock=clock) as cold:
        for one in (ledger, cold):
            for asked in (other_body, other_log, on_receiver, on_sender):
                (error,) = await submit(one, asked)
                assert isinstance(error, CommandIdReused), (asked, error)
    assert await count(dsn, used["command_id"]) == 1
    await assert_sound(dsn)


async def test_an_id_fifty_times_at_once_is_stored_once(dsn, clock):
    async with Ledger(dsn, clock=clock) as one, Ledger(dsn, clock=clock) as two:
        asked = pay()
        answers = await asyncio.gather(*(submit(x, asked) for _ in range(25) for x in (one, two)))
    assert sum(not a.replayed for (a,) in answers) == 1
    assert len({a.position for (a,) in answers}) == 1
    assert await count(dsn, asked["command_id"]) == 1
    await assert_sound(dsn)


async def test_repeats_inside_one_batch_are_one_posting(ledger, dsn):
    asked = pay()
    changed = pay(amount="3.00", command_id=asked["command_id"])
    first, again, other = await submit(ledger, asked, asked, changed)
    assert (first.status, first.replayed) == ("accepted", False)
    assert (again.position, again.replayed) == (first.position, True)
    assert isinstance(other, CommandIdReused)
    await assert_sound(dsn)


async def test_a_repeat_inside_a_batch_that_is_decided_again_names_the_place_it_was_stored(
    dsn, clock
):
    async with Ledger(dsn, clock=clock) as one, Ledger(dsn, clock=clock) as two:
        await accepted(one, pay())
        await accepted(two, pay())
        asked = pay()
        first, again = await submit(one, asked, asked)
        assert (first.replayed, again.replayed) == (False, True)
        assert first.position == again.position == await one.position(RAYON)


async def test_an_atomic_request_is_all_or_nothing(ledger, dsn):
    start = await ledger.position(RAYON)
    good, bad = pay(), pay(amount="99999999")
    answers = await submit(ledger, good, bad, pay(OBLAST), good, atomic=True)
    assert [a.status for a in answers] == ["withheld", "refused", "withheld", "withheld"]
    assert {a.position for a in answers} == {None}
    assert await ledger.position(RAYON) == start
    fine = await accepted(ledger, good, pay(OBLAST), atomic=True)
    assert fine[0].position == start + 1
    await assert_sound(dsn)


async def test_an_atomic_request_with_an_unknown_budget_is_withheld(ledger, dsn):
    start = await ledger.position(RAYON)
    first, error = await submit(ledger, pay(), pay("KZ-2025-nowhere"), atomic=True)
    assert first.status == "withheld"
    assert isinstance(error, NotFound)
    assert await ledger.position(RAYON) == start


async def test_an_atomic_request_repeated_after_a_restart_repeats_its_answers(dsn, clock):
    register = ask("RegisterCommitment", RAYON, contract="C9", line=SPENDING, amount="5",
                   effective_from=DAY)  # fmt: skip
    parts = [register, pay(contract="C9", amount="5")]
    async with Ledger(dsn, clock=clock) as ledger:
        first = await accepted(ledger, *parts, atomic=True)
    async with Ledger(dsn, clock=clock) as cold:
        again = await submit(cold, *parts, atomic=True)
    assert [vars(a) for a in again] == [{**vars(a), "replayed": True} for a in first]
    await assert_sound(dsn)


async def test_a_refused_opening_stores_nothing_and_leaves_no_partition(ledger, dsn):
    code = "KZ-2031-rayon-9"
    wrong, right = opening(code, 1, 8, 2031), opening(code, 2, 3, 2031)
    (answer,) = await submit(ledger, wrong)
    assert (answer.status, answer.position, answer.events) == ("refused", None, 0)
    assert await query(dsn, "SELECT 1 FROM ledger.heads WHERE code = $1", code) == []
    assert await query(dsn, "SELECT 1 WHERE to_regclass('ledger.events_2031') IS NOT NULL") == []
    (answer,) = await accepted(ledger, right)
    assert answer.position == 1
    rows = await query(dsn, "SELECT region FROM ledger.heads WHERE code = $1", code)
    assert [row["region"] for row in rows] == [2]
    await assert_sound(dsn)


async def test_a_budget_nobody_opened_is_an_error_and_stores_nothing(ledger):
    known, error = await submit(ledger, pay(), pay("KZ-2025-nowhere"))
    assert known.status == "accepted"
    assert (error.code, error.details["budget"]) == ("unknown-budget", "KZ-2025-nowhere")
    (error,) = await submit(ledger, send(OBLAST, "KZ-2025-nowhere"))
    assert (error.code, error.details["budget"]) == ("unknown-budget", "KZ-2025-nowhere")


async def test_a_budget_is_opened_and_posted_to_in_one_batch(ledger, dsn):
    code = "KZ-2025-rayon-7"
    late = pay(code)
    answers = await submit(ledger, pay(code), opening(code, 7, 3), *setting_up(code, 3), late)
    assert answers[0].code == "unknown-budget"
    assert {a.status for a in answers[1:]} == {"accepted"}
    await assert_sound(dsn)


async def test_one_code_is_opened_in_one_region_only(dsn, clock):
    code = "KZ-2025-rayon-7"
    async with Ledger(dsn, clock=clock) as one, Ledger(dsn, clock=clock) as two:
        answers = await asyncio.gather(
            submit(one, opening(code, 3)), submit(two, opening(code, 4)))  # fmt: skip
    assert sorted(a.status for (a,) in answers) == ["accepted", "refused"]
    assert len(await query(dsn, "SELECT 1 FROM ledger.heads WHERE code = $1", code)) == 1
    await assert_sound(dsn)


async def test_a_decision_on_stale_rules_is_made_again_with_the_new_ones(dsn, clock):
    strict = jurisdiction()
    for rule in strict["authority"]:
        if rule["action"] == "pay":
            rule["capacities"] = ["bank"]
    async with Ledger(dsn, clock=clock) as one, Ledger(dsn, clock=clock) as two:
        await accepted(one, pay())
        await accepted(two, ask("AdoptJurisdiction", "rulebook", jurisdiction=strict,
                                effective_from=DAY))  # fmt: skip
        assert one.rules.position < two.rules.position
        (answer,) = await submit(one, pay())
        assert answer.refusal.code == "actor-not-authorized"
        assert one.rules.position == two.rules.position
        (event,) = [e for e in await one.events() if e.command_id == answer.command_id] or [None]
        await sequenced(one)
        (event,) = [e for e in await one.events() if e.command_id == answer.command_id]
        assert event.event().rules_at == two.rules.position
    await assert_sound(dsn)


async def test_rules_change_between_two_commands_of_one_batch(ledger, dsn):
    strict = jurisdiction()
    for rule in strict["authority"]:
        if rule["action"] == "pay":
            rule["capacities"] = ["bank"]
    adopt = ask("AdoptJurisdiction", "rulebook", jurisdiction=strict, effective_from=DAY)
    answers = await submit(ledger, pay(), adopt, pay(), pay(REPUBLIC))
    assert [a.status for a in answers] == ["accepted", "accepted", "refused", "refused"]
    await assert_sound(dsn)


async def test_a_full_queue_takes_nothing_and_says_so_at_once(dsn, clock):
    async with Ledger(dsn, clock=clock, queue_commands_max=10) as ledger:
        taken = [asyncio.ensure_future(submit(ledger, *[pay() for _ in range(5)]))
                 for _ in range(2)]  # fmt: skip
        await asyncio.sleep(0)
        asked = pay()
        with pytest.raises(Overloaded):
            await submit(ledger, asked)
        assert ledger.appender.waiting == 10
        await asyncio.gather(*taken)
        assert await count(dsn, asked["command_id"]) == 0
        await accepted(ledger, asked)
        assert ledger.appender.waiting == 0


async def test_stopping_answers_what_waits_and_takes_nothing_more(dsn, clock):
    ledger = Ledger(dsn, clock=clock)
    await ledger.open()
    waiting = [asyncio.ensure_future(submit(ledger, pay())) for _ in range(700)]
    await asyncio.sleep(0)
    await ledger.close()
    assert {answer.status for (answer,) in await asyncio.gather(*waiting)} == {"accepted"}
    with pytest.raises(Unavailable):
        await submit(ledger, pay())
    await assert_sound(dsn)


async def test_a_client_that_goes_away_loses_its_answer_only(ledger, dsn):
    asked = pay()
    gone = asyncio.ensure_future(submit(ledger, asked))
    await asyncio.sleep(0)
    gone.cancel()
    await accepted(ledger, pay())
    assert await count(dsn, asked["command_id"]) == 1
    (answer,) = await submit(ledger, asked)
    assert answer.replayed


async def test_a_tampered_cell_fails_its_own_command_only(ledger, dsn):
    await accepted(ledger, pay(OBLAST_2), pay(RAYON_2))
    await query(dsn, "ALTER TABLE ledger.cells ADD CONSTRAINT trap CHECK (NOT (kind = 'contract' "
                 f"AND log = {log_id(RAYON_2)} AND executed > 200)) NOT VALID")  # fmt: skip
    one = [pay(RAYON_2, "0.50"), pay(RAYON_2, "1.00"), pay(OBLAST_2), pay(RAYON)]
    answers = await submit(ledger, *one)
    assert [getattr(a, "status", None) or a.code for a in answers] == [
        "accepted",
        "broken",
        "accepted",
        "accepted",
    ]
    many = [pay(RAYON_2, "7.00")] + [pay(code) for code in (RAYON, OBLAST, REPUBLIC)]
    answers = await asyncio.gather(*(submit(ledger, asked) for asked in many))
    assert [getattr(a, "status", None) or a.code for (a,) in answers] == [
        "broken",
        "accepted",
        "accepted",
        "accepted",
    ]
    await query(dsn, "ALTER TABLE ledger.cells DROP CONSTRAINT trap")
    await accepted(ledger, one[1])
    await assert_sound(dsn)


async def test_a_limit_that_the_decision_missed_is_stopped_by_the_databases_check(
    ledger, dsn, monkeypatch
):
    await accepted(ledger, pay(), pay(OBLAST))
    monkeypatch.setattr(decision, "check_limits", lambda *_: ([], ()))
    too_much = pay(amount="6000000")
    missed, other = await submit(ledger, too_much, pay(OBLAST))
    assert (missed.code, other.status) == ("broken", "accepted")
    assert "unused_registration" in missed.message
    assert await count(dsn, too_much["command_id"]) == 0
    await assert_sound(dsn)


async def test_a_command_that_cannot_be_decided_fails_alone(ledger, monkeypatch):
    broken = ledger.read(pay())

    decide = type(broken).decide

    def fail(self, case):
        if self.command_id == broken.command_id:
            raise KeyError
        yield from decide(self, case)

    monkeypatch.setattr(type(broken), "decide", fail)
    answers = await ledger.submit([ledger.read(pay()), broken, ledger.read(pay(OBLAST))])
    assert [getattr(a, "status", None) or a.code for a in answers] == [
        "accepted",
        "broken",
        "accepted",
    ]


async def test_the_newest_answers_and_cells_are_kept_in_bounds(ledger, monkeypatch):
    monkeypatch.setattr(answers, "REMEMBERED", 5)
    monkeypatch.setattr(cache, "CACHED_CELLS", 30)
    asked = [pay(code) for code in BUDGETS for _ in range(3)]
    await accepted(ledger, *asked)
    assert len(ledger.appender.recent._answers) == 5
    assert sum(len(s.cells) for s in ledger.appender.cache.states.values()) <= 30
    again = await accepted(ledger, *asked)
    assert {a.replayed for a in again} == {True}
    monkeypatch.setattr(cache, "CACHED_CELLS", 10_000)
    await accepted(ledger, *(pay() for _ in range(50)))
    assert not [key for state in ledger.appender.cache.states.values() for key in state.cells
                if key[0] == "payment"]  # fmt: skip


async def test_a_contract_and_a_payment_are_found_cold(dsn, clock):
    paid = pay(amount="10")
    back = {"amount": "4", "value_date": DAY, "reason": "r", "payment": paid["command_id"]}
    async with Ledger(dsn, clock=clock) as ledger:
        await accepted(ledger, paid)
    for expected in ("accepted", "accepted", "refused"):
        async with Ledger(dsn, clock=clock) as cold:
            (answer,) = await submit(cold, ask("ReturnPayment", RAYON, **back))
            assert answer.status == expected
    assert answer.refusal.limits[0].limit == "payment-remaining"
    async with Ledger(dsn, clock=clock) as cold:
        (answer,) = await submit(cold, pay(contract="C-unknown"))
        assert answer.refusal.code == "unknown-contract"
        (answer,) = await submit(cold, ask("ReturnPayment", RAYON, **{
            **back, "payment": str(uuid4())}))  # fmt: skip
        assert answer.refusal.code == "unknown-payment"
        await accepted(cold, pay())
    await assert_sound(dsn)


async def test_a_clock_that_steps_back_a_day_moves_a_log_on_by_a_microsecond(ledger, dsn, clock):
    (first,) = await accepted(ledger, pay())
    clock.now -= 86_400_000_000
    days = [pay(day="2025-03-09") for _ in range(3)]
    later = [(await accepted(ledger, asked))[0] for asked in days[:2]]
    batch = await accepted(ledger, days[2], pay(OBLAST, day="2025-03-09"))
    assert [a.recorded_at - first.recorded_at for a in (*later, batch[0])] == [1, 2, 3]
    assert batch[0].position == first.position + 3
    clock.now += 86_400_000_000 + 1_000_000
    (after,) = await accepted(ledger, pay())
    assert after.recorded_at > batch[0].recorded_at + 1
    await assert_sound(dsn)


async def test_a_long_request_is_cut_into_batches_and_an_atomic_one_stays_whole(
    ledger, monkeypatch
):
    monkeypatch.setattr(append, "BATCH", 8)
    monkeypatch.setattr(waiting, "BATCH", 8)
    sizes = []
    conclude = append.Attempt.conclude

    def watch(self, items):
        sizes.append(sum(len(item.commands) for item in items))
        conclude(self, items)

    monkeypatch.setattr(append.Attempt, "conclude", watch)
    positions = [a.position for a in await accepted(ledger, *(pay() for _ in range(20)))]
    assert positions == list(range(positions[0], positions[0] + 20))
    await accepted(ledger, *(pay() for _ in range(20)), atomic=True)
    assert sizes == [8, 8, 4, 20]
    assert await submit(ledger) == []


async def test_receipts_on_lines_used_for_the_first_time_are_numbered(ledger, dsn):
    lines = [[*REVENUE, "01", str(n)] for n in range(1, 6)]
    receipts = [ask("CreditReceipt", RAYON, line=line, amount="1", value_date=DAY)
                for line in lines for _ in range(2)]  # fmt: skip
    await asyncio.gather(*(accepted(ledger, receipt) for receipt in receipts))
    rows = await query(dsn, "SELECT line, path FROM ledger.lines WHERE log = $1 ORDER BY line",
                       log_id(RAYON))  # fmt: skip
    assert [row["line"] for row in rows] == list(range(1, 9))
    assert [row["path"] for row in rows][:3] == [REVENUE, SPENDING, TRANSFERS]
    await assert_sound(dsn)


async def test_the_server_ends_a_transaction_that_a_client_left_half_sent(ledger):
    connection = await ledger.database.listen("writer", answer_seconds=0.2)
    try:
        await connection.execute("BEGIN")
        await asyncio.sleep(1)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.execute("SELECT 1")
    finally:
        await connection.close(timeout=5)
