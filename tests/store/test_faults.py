"""Lost connections: the client gets the truth, and every command is stored exactly once."""

import asyncio
import random

import asyncpg
import pytest

from ledger.errors import OutcomeUnknown, Unavailable
from ledger.service import Ledger
from ledger.store import append, pool
from tests.store.proxy import Proxy, is_append, is_commit
from tests.store.world import (
    BUDGETS,
    OBLAST,
    RAYON,
    REPUBLIC,
    accepted,
    assert_sound,
    pay,
    query,
    send,
    submit,
)


@pytest.fixture
async def proxy(dsn, tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.5)
    async with Proxy(dsn, tmp_path) as running:
        yield running


async def stored(dsn, *documents) -> list[int]:
    """How often each command is stored."""
    rows = await query(
        dsn,
        "SELECT command_id::text, count(*) AS times FROM ledger.events "
        "WHERE n = 0 AND kind <> 'budget.transfer.received' GROUP BY 1",
    )
    found = {row["command_id"]: row["times"] for row in rows}
    return [found.get(document["command_id"], 0) for document in documents]


@pytest.mark.parametrize("mode", ["request", "answer", "late"])
@pytest.mark.parametrize("alone", [True, False], ids=["optimistic", "locked"])
async def test_a_posting_whose_connection_is_cut_is_stored_once_and_answered(
    dsn, clock, proxy, mode, alone
):
    async with Ledger(proxy.dsn, clock=clock) as ledger:
        before = (await accepted(ledger, pay()))[0].position
        if not alone:
            ledger.appender._rival_until = asyncio.get_running_loop().time() + 60
        good, bad = pay(), pay(amount="99999999")
        proxy.arm(mode)
        first, refused = await submit(ledger, good, bad)
        assert proxy.fired == 1
        assert (first.status, first.replayed, first.position) == ("accepted", False, before + 1)
        assert (refused.status, refused.replayed) == ("refused", False)
        assert refused.position == before + 2
        again = await submit(ledger, good, bad)
        assert [(a.replayed, a.position) for a in again] == [(True, before + 1), (True, before + 2)]
    assert await stored(dsn, good, bad) == [1, 1]
    await assert_sound(dsn)


@pytest.mark.parametrize("mode", ["request", "answer", "late"])
@pytest.mark.parametrize("moment", [is_append, is_commit], ids=["append", "commit"])
async def test_a_transfer_whose_connection_is_cut_has_both_sides_once(
    dsn, clock, proxy, mode, moment
):
    async with Ledger(proxy.dsn, clock=clock) as ledger:
        await accepted(ledger, send(), pay())
        if moment is is_commit:  # without a lock it is one statement
            ledger.appender._rival_until = asyncio.get_running_loop().time() + 60
        asked = send()
        proxy.arm(mode, moment)
        (answer,) = await accepted(ledger, asked)
        assert proxy.fired == 1
        assert not answer.replayed
    rows = await query(dsn, "SELECT count(*) AS n FROM ledger.events WHERE command_id::text = $1",
                       asked["command_id"])  # fmt: skip
    assert rows[0]["n"] == 2
    await assert_sound(dsn)


@pytest.mark.parametrize("mode", ["request", "answer", "late"])
async def test_an_atomic_request_whose_connection_is_cut_is_whole(dsn, clock, proxy, mode):
    async with Ledger(proxy.dsn, clock=clock) as ledger:
        await accepted(ledger, pay())
        parts = [pay(code) for code in BUDGETS]
        proxy.arm(mode, is_commit)
        answers = await accepted(ledger, *parts, atomic=True)
        assert proxy.fired == 1
        assert {a.replayed for a in answers} == {False}
    assert await stored(dsn, *parts) == [1] * len(parts)
    await assert_sound(dsn)


@pytest.mark.parametrize("mode", ["request", "answer"])
async def test_a_server_gone_for_long_is_an_unknown_outcome_that_a_retry_settles(
    dsn, clock, proxy, mode, monkeypatch
):
    monkeypatch.setattr(append, "GIVE_UP_SECONDS", 0.3)
    async with Ledger(proxy.dsn, clock=clock) as ledger:
        await accepted(ledger, pay())
        asked, waiting = pay(), pay(OBLAST)
        proxy.arm(mode, stays_away=True)
        (unknown,) = await submit(ledger, asked)
        assert isinstance(unknown, OutcomeUnknown)
        started = asyncio.get_running_loop().time()
        (untouched,) = await submit(ledger, waiting)
        assert isinstance(untouched, Unavailable)
        assert asyncio.get_running_loop().time() - started < 0.3
        assert ledger.appender.waiting == 0
        assert await stored(dsn, asked, waiting) == [int(mode == "answer"), 0]
        proxy.refuses = False
        (late,) = await accepted(ledger, asked)
        assert late.replayed == (mode == "answer")
        (fresh,) = await accepted(ledger, waiting)
        assert not fresh.replayed
    assert await stored(dsn, asked, waiting) == [1, 1]
    await assert_sound(dsn)


async def test_a_server_that_falls_silent_counts_as_lost(dsn, clock, proxy, monkeypatch):
    monkeypatch.setattr(append, "ANSWER_SECONDS", 0.5)
    async with Ledger(proxy.dsn, clock=clock) as ledger:
        await accepted(ledger, pay(), send())
        for asked, moment in ((pay(), is_append), (send(), is_commit)):
            if moment is is_commit:  # without a lock it is one statement
                ledger.appender._rival_until = asyncio.get_running_loop().time() + 60
            proxy.arm("silent", moment)
            async with asyncio.timeout(20):
                (answer,) = await accepted(ledger, asked)
            assert not answer.replayed
            assert await stored(dsn, asked) == [1]
        assert proxy.fired == 2
    await assert_sound(dsn)


async def test_stopping_without_a_server_answers_and_ends(dsn, clock, proxy):
    ledger = Ledger(proxy.dsn, clock=clock)
    await ledger.open()
    await accepted(ledger, pay())
    proxy.hang_up()
    waiting = [asyncio.ensure_future(submit(ledger, pay())) for _ in range(5)]
    await asyncio.sleep(0.1)
    async with asyncio.timeout(15):
        await ledger.close()
    answers = [answer for (answer,) in await asyncio.gather(*waiting)]
    assert {type(answer) for answer in answers} <= {Unavailable, OutcomeUnknown}


async def test_backends_ended_at_any_moment_lose_and_double_nothing(dsn, clock):
    dice = random.Random(20261123)
    asked = [send(*dice.choice([(REPUBLIC, OBLAST), (OBLAST, RAYON)])) if dice.random() < 0.3
             else pay(dice.choice(list(BUDGETS))) for _ in range(300)]  # fmt: skip
    async with Ledger(dsn, clock=clock) as ledger:
        killer = await asyncpg.connect(dsn)
        work = asyncio.gather(*(_patient(ledger, one, dice.random() * 2) for one in asked))
        killed = 0
        while not work.done():
            killed += await killer.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await asyncio.sleep(0.2 + dice.random() * 0.5)
        answers = await work
        await killer.close()
    assert killed > 3
    assert {a.status for a in answers} == {"accepted"}
    assert {a.replayed for a in answers} == {False}
    assert len({(a.budget, a.position) for a in answers}) == len(asked)
    assert await stored(dsn, *asked) == [1] * len(asked)
    await assert_sound(dsn)


async def _patient(ledger, document, seconds):
    """Submit once after a while."""
    await asyncio.sleep(seconds)
    (answer,) = await submit(ledger, document)
    return answer


@pytest.mark.parametrize("code", ["40001", "40P01"])
async def test_a_conflict_is_decided_again(ledger, dsn, code):
    await accepted(ledger, pay())
    await query(dsn, "CREATE SEQUENCE public.tries")
    await query(dsn, "GRANT USAGE ON public.tries TO qazyna_owner")
    await query(
        dsn,
        f"""CREATE FUNCTION public.trip() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF nextval('public.tries') < 4 THEN
            RAISE EXCEPTION 'again' USING ERRCODE = '{code}';
        END IF; RETURN NEW; END $$""",
    )
    await query(dsn, "CREATE TRIGGER trip BEFORE INSERT ON ledger.events_2025 FOR EACH ROW "
                "EXECUTE FUNCTION public.trip()")  # fmt: skip
    (answer,) = await accepted(ledger, pay())
    assert not answer.replayed
    assert (await query(dsn, "SELECT last_value AS n FROM public.tries"))[0]["n"] == 4
    await query(dsn, "DROP TRIGGER trip ON ledger.events_2025")
    await assert_sound(dsn)


async def test_a_budget_that_always_conflicts_is_given_back(ledger, dsn, monkeypatch):
    monkeypatch.setattr(append, "ATTEMPTS", 2)
    await query(
        dsn,
        """CREATE FUNCTION public.trip() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$""",
    )
    await query(dsn, "CREATE TRIGGER trip BEFORE INSERT ON ledger.events_2025 FOR EACH ROW "
                "EXECUTE FUNCTION public.trip()")  # fmt: skip
    asked = pay()
    (error,) = await submit(ledger, asked)
    assert isinstance(error, Unavailable)
    await query(dsn, "DROP TRIGGER trip ON ledger.events_2025")
    (answer,) = await accepted(ledger, asked)
    assert not answer.replayed
    await assert_sound(dsn)
