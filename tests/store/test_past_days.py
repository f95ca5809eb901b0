"""Older days of cells stand apart: what a posting writes does not grow with the year."""

import asyncio
import random
from datetime import date, timedelta

import pytest

from ledger import timelines
from ledger.service import Ledger
from ledger.store import append, waiting
from ledger.store.checks import check
from ledger.store.replay import replay
from ledger.timelines import RECENT, RECENT_MAX, Timeline
from tests.store.world import (
    DAY,
    OBLAST,
    RAYON,
    RAYON_2,
    REVENUE,
    SPENDING,
    accepted,
    ask,
    assert_sound,
    pay,
    query,
    send,
    sequenced,
    submit,
    tamper,
)

START = date(2025, 1, 21)
DAYS = [(START + timedelta(days=n)).isoformat() for n in range(49)]
"""Every day on which contract C1 can be paid, to the ledger's day."""
CELLS = "SELECT length(content) AS size FROM ledger.cells WHERE kind IN ('line', 'budget')"
PARTS = "SELECT count(*) AS parts FROM ledger.past_days"


def paid_on(day, budget=RAYON, amount="1.00", **more):
    return {**pay(budget, amount, **more), "value_date": day}


async def whole_year(ledger, budget=RAYON):
    """Pay once on each day."""
    for day in DAYS:
        await accepted(ledger, paid_on(day, budget))


async def replayed(ledger, dsn):
    """Everything that is stored twice agrees, and every decision is made again."""
    await assert_sound(dsn)
    await sequenced(ledger)
    assert (await replay(dsn)).findings == []


def loaded(ledger) -> list:
    """Older days that the process remembers."""
    return [(code, key, name) for code, state in ledger.appender.cache.states.items()
            for key, cell in state.cells.items() if cell
            for name, line in cell.measures.items() if isinstance(line.past, Timeline)]  # fmt: skip


async def test_a_posting_writes_a_few_days_however_many_there_are(ledger, dsn):
    await whole_year(ledger)
    [most] = await query(dsn, f"SELECT max(size) AS size FROM ({CELLS}) AS c")
    assert most["size"] < 1000
    [line] = await query(dsn, "SELECT content FROM ledger.cells AS c JOIN ledger.heads AS h "
                         "USING (region, log) WHERE code = $1 AND key = 'C1'", RAYON)  # fmt: skip
    assert RECENT < line["content"].count(b",") // 2 <= 2 * RECENT_MAX
    assert (await query(dsn, PARTS))[0]["parts"] >= 3 * (len(DAYS) - RECENT_MAX) // RECENT
    assert loaded(ledger) == []
    await replayed(ledger, dsn)


async def test_long_ago_is_loaded_where_it_is_needed_and_forgotten_again(ledger, dsn, clock):
    await whole_year(ledger)
    before = (await query(dsn, PARTS))[0]["parts"]
    async with Ledger(dsn, clock=clock) as cold:
        for day in (DAYS[20], DAYS[3], DAYS[0], DAYS[-1]):
            await accepted(cold, paid_on(day))
        [refused] = await submit(cold, paid_on("2025-01-15"))
        assert refused.refusal.limits[0].limit == "unused-registration"
        assert refused.refusal.limits[0].day == "2025-01-15"
        assert loaded(cold) == []
        await replayed(ledger, dsn)
    assert (await query(dsn, PARTS))[0]["parts"] >= before


async def test_a_backdated_payment_breaks_a_limit_of_long_ago_that_holds_today(ledger, dsn):
    own = ask("RegisterCommitment", contract="C2", line=SPENDING, amount="100.00",
              effective_from=DAYS[0])  # fmt: skip
    more = [ask("ChangeCommitment", contract="C2", change="1000.00", effective_from=DAYS[30],
                reason="more of it")]  # fmt: skip
    await accepted(ledger, own, *more)
    for day in DAYS:
        await accepted(ledger, paid_on(day, amount="3.00", contract="C2"))
    [refused] = await submit(ledger, paid_on(DAYS[10], amount="11.00", contract="C2"))
    limit = refused.refusal.limits[0]
    assert (limit.limit, limit.day) == ("unused-registration", DAYS[29])
    assert (limit.asked_minor, limit.available_minor) == (1100, 1000)
    await accepted(ledger, paid_on(DAYS[10], amount="10.00", contract="C2"))
    await replayed(ledger, dsn)


async def test_a_line_opened_above_others_has_their_older_days(ledger, dsn, clock):
    below, above = [*REVENUE, "01", "1", "01"], [*REVENUE, "01"]

    def credited(line, day):
        return {**ask("CreditReceipt", line=line, amount="1.00"), "value_date": day}

    await accepted(ledger, *(credited(below, day) for day in DAYS))
    async with Ledger(dsn, clock=clock) as cold:
        await accepted(cold, credited(above, DAY))
        assert loaded(cold) == []
        await assert_sound(dsn)
        await accepted(cold, credited(above, DAYS[2]))
        await replayed(ledger, dsn)


@pytest.mark.parametrize("seed", range(4))
async def test_random_days_by_two_writers_in_small_batches(dsn, clock, monkeypatch, seed):
    """Days are cut off at almost every posting, under way and in flight, of budgets and rivals."""
    monkeypatch.setattr(timelines, "RECENT_MAX", 2)
    monkeypatch.setattr(timelines, "RECENT", 1)
    monkeypatch.setattr(append, "BATCH", 8)
    monkeypatch.setattr(waiting, "BATCH", 8)
    monkeypatch.setattr(append, "AHEAD", 1)
    chance = random.Random(seed)

    def document():
        budget, choice = chance.choice((RAYON, RAYON, RAYON_2, OBLAST)), chance.random()
        if choice < 0.7:
            return paid_on(chance.choice(DAYS), budget, f"{chance.randrange(1, 99)}.00")
        if choice < 0.9:
            return {**ask("CreditReceipt", budget, line=REVENUE, amount="0.01"),
                    "value_date": chance.choice(DAYS)}  # fmt: skip
        return {**send(OBLAST, RAYON), "value_date": chance.choice(DAYS)}

    async with Ledger(dsn, clock=clock) as one, Ledger(dsn, clock=clock) as two:
        for writers in ([one], [one, two], [one]):
            answers = await asyncio.gather(
                *(submit(chance.choice(writers), document()) for _ in range(120))
            )
            assert {answer.status for [answer] in answers} <= {"accepted", "refused"}
        assert loaded(one) == loaded(two) == []
        await replayed(one, dsn)
    assert (await query(dsn, PARTS))[0]["parts"] > 100


async def test_a_cell_that_was_stored_whole_goes_on(ledger, dsn, clock, monkeypatch):
    """What migration 0008 finds: nothing was ever cut off before."""
    with monkeypatch.context() as before:
        before.setattr(timelines, "RECENT_MAX", 10**6)
        await whole_year(ledger)
    assert (await query(dsn, PARTS))[0]["parts"] == 0
    await replayed(ledger, dsn)
    async with Ledger(dsn, clock=clock) as newer:
        await accepted(newer, paid_on(DAYS[5]), paid_on(DAYS[40]))
        await accepted(newer, {**pay(), "value_date": DAY}, paid_on("2025-01-20"))
        await replayed(ledger, dsn)
    [most] = await query(dsn, f"SELECT max(size) AS size FROM ({CELLS}) AS c")
    assert most["size"] < 5000


PAST = "UPDATE ledger.past_days SET"
COPIED = "INSERT INTO ledger.past_days SELECT region, log,"
CASES = {
    "a sum of long ago": (
        f"{PAST} content = replace(convert_from(content, 'UTF8'), ']]', '9]]')::bytea"
        " WHERE kind = 'contract'"
    ),
    "a day of long ago": (
        f"{PAST} content = overlay(content PLACING '\\x31' FROM 3 FOR 1) WHERE kind = 'contract'"
    ),
    "another spelling": f"{PAST} content = content || ' ' WHERE kind = 'contract'",
    "no JSON": f"{PAST} content = '{{' WHERE kind = 'contract'",
    "another last day": f"{PAST} last_day = last_day + 1 WHERE kind = 'contract'",
    "a part taken away": "DELETE FROM ledger.past_days WHERE kind = 'contract'",
    "a part of a measure without past": (
        f"{COPIED} kind, key, 'accepted', last_day, content FROM ledger.past_days"
        " WHERE kind = 'contract'"
    ),
    "a part that begins with the cell's own days": (
        f"{COPIED} kind, key, measure, 739319, '[[739319],[777]]' FROM ledger.past_days"
        " WHERE kind = 'contract' ORDER BY last_day LIMIT 1"
    ),
    "a part without days": (
        f"{COPIED} kind, key, measure, 0, '[[],[]]' FROM ledger.past_days"
        " WHERE kind = 'contract' ORDER BY last_day LIMIT 1"
    ),
    "a part of no cell": (
        f"{COPIED} kind, 'X', measure, last_day, content FROM ledger.past_days"
        " WHERE kind = 'contract'"
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_whoever_changes_older_days_is_found(ledger, dsn, case):
    await whole_year(ledger)
    assert await check(dsn) == []
    await tamper(dsn, CASES[case])
    [found] = await check(dsn)
    assert (found.code, found.budget) == ("cell-differs", RAYON)
    assert f"contract {'X' if case == 'a part of no cell' else 'C1'}" in found.message
