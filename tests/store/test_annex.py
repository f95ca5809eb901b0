"""The annex: personal data beside the log, tied to it by commitments, erasable."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from ledger.errors import LedgerError, NotFound
from ledger.proofs.annex import commitment, commitments_of
from ledger.proofs.verify import ProofError
from ledger.service import Ledger
from ledger.store.annex import annex_differences, disclose, find_value
from ledger.store.answers import CommandIdReused
from ledger.store.replay import replay
from tests.store.world import (
    OBLAST,
    RAYON,
    RAYON_2,
    accepted,
    ask,
    assert_sound,
    pay,
    query,
    send,
    submit,
    tamper,
)

NAME, NUMBER = "Әлия Серікқызы", "850101300124"
PERSON = {"payee_name": NAME, "payee_number": NUMBER}


def paid(annex=PERSON, **fields):
    return {**pay(**fields), "annex": annex}


def erase(of, budget=RAYON, **fields):
    return ask("EraseAnnex", budget, erased_command=of["command_id"], reason="asked to", **fields)


async def kept(dsn):
    rows = await query(dsn, "SELECT command_id::text, field, value FROM ledger.annex")
    return {(row["command_id"], row["field"]): row["value"] for row in rows}


async def bodies(dsn):
    return [bytes(row["body"]) for row in await query(dsn, "SELECT body FROM ledger.events")]


async def test_a_body_holds_commitments_and_the_annex_what_opens_them(ledger, dsn):
    asked = paid()
    (answer,) = await accepted(ledger, asked)
    shown = await disclose(dsn, RAYON, UUID(asked["command_id"]))
    assert shown.position == answer.position
    assert shown.verify() == PERSON
    for name, (salt, value) in shown.opened.items():
        assert commitments_of(shown.body)[name] == commitment(salt, name, value).hex()
    for body in await bodies(dsn):
        assert NAME.encode() not in body
        assert NUMBER.encode() not in body
    await assert_sound(dsn)
    assert await annex_differences(dsn) == []


async def test_equal_values_have_unequal_commitments(ledger, dsn):
    one, two = paid(), paid()
    await accepted(ledger, one, two)
    openings = [await disclose(dsn, RAYON, UUID(c["command_id"])) for c in (one, two)]
    promised = [set(commitments_of(shown.body).values()) for shown in openings]
    assert not promised[0] & promised[1]


async def test_a_refused_command_keeps_its_annex_too(ledger, dsn):
    asked = paid(amount="99999999")
    (answer,) = await submit(ledger, asked)
    assert answer.status == "refused"
    shown = await disclose(dsn, RAYON, UUID(asked["command_id"]))
    assert shown.verify() == PERSON
    assert await annex_differences(dsn) == []


async def test_a_command_that_is_not_written_keeps_nothing(ledger, dsn):
    withheld, unheard = paid(), paid(budget="KZ-2025-nowhere")
    answers = await submit(ledger, withheld, pay(amount="99999999"), atomic=True)
    assert [answer.status for answer in answers] == ["withheld", "refused"]
    (error,) = await submit(ledger, unheard)
    assert isinstance(error, NotFound)
    assert await kept(dsn) == {}


@pytest.mark.parametrize("cold", [False, True])
async def test_a_repeat_with_the_same_values_is_the_same_command(dsn, clock, cold):
    asked = paid()
    async with Ledger(dsn, clock=clock) as one, Ledger(dsn, clock=clock) as two:
        (first,) = await accepted(one, asked)
        before = await kept(dsn)
        (again,) = await submit(two if cold else one, asked)
        assert vars(again) == {**vars(first), "replayed": True}
        assert await kept(dsn) == before


OTHERS = [
    {**PERSON, "payee_name": "Another"}, {"payee_name": NAME}, {**PERSON, "official_name": "O"},
    {"payer_name": NAME, "payer_number": NUMBER}, None,
]  # fmt: skip


@pytest.mark.parametrize("annex", OTHERS, ids=str)
@pytest.mark.parametrize("cold", [False, True])
async def test_a_repeat_with_other_values_is_another_command(dsn, clock, annex, cold):
    asked = paid()
    async with Ledger(dsn, clock=clock) as one, Ledger(dsn, clock=clock) as two:
        await accepted(one, asked)
        (answer,) = await submit(two if cold else one, {**asked, "annex": annex})
        assert isinstance(answer, CommandIdReused)
        (answer,) = await submit(one, {**pay(), "command_id": asked["command_id"], "annex": PERSON})
        assert answer.replayed


async def test_a_repeat_within_a_batch_is_compared_by_its_values(ledger, dsn):
    asked = paid()
    first, again, other = await submit(ledger, asked, asked, {**asked, "annex": OTHERS[0]})
    assert (first.replayed, again.replayed) == (False, True)
    assert isinstance(other, CommandIdReused)
    assert len(await kept(dsn)) == 2


async def test_an_annex_is_kept_in_each_region_of_a_transfer(ledger, dsn):
    asked = {**send(), "annex": {"official_name": NAME}}
    await accepted(ledger, asked, {**send(OBLAST, RAYON_2), "annex": {"official_name": NAME}})
    assert len(await kept(dsn)) == 2
    assert await annex_differences(dsn) == []
    await assert_sound(dsn)


async def test_erasure_destroys_salt_and_value_and_keeps_every_hash(ledger, dsn):
    asked, other = paid(), paid()
    await accepted(ledger, asked, other)
    command_id = UUID(asked["command_id"])
    before, (body, *_) = await bodies(dsn), [(await disclose(dsn, RAYON, command_id)).body]
    order = erase(asked)
    await accepted(ledger, order)
    assert {key for key, _ in await kept(dsn)} == {other["command_id"]}
    shown = await disclose(dsn, RAYON, command_id)
    assert (shown.verify(), shown.body) == ({}, body)
    after = await bodies(dsn)
    assert set(before) < set(after)
    (tombstone,) = [orjson.loads(body) for body in set(after) - set(before)]
    assert tombstone["kind"] == "ledger.annex.erased"
    assert tombstone["command"]["erased_command"] == asked["command_id"]
    assert tombstone["command"]["actor"] == order["actor"]
    assert tombstone["command"]["reason"] == "asked to"
    await assert_sound(dsn)
    assert await annex_differences(dsn) == []
    assert (await replay(dsn)).findings == []


async def test_one_field_is_erased_alone(ledger, dsn):
    asked = paid()
    await accepted(ledger, asked)
    await accepted(ledger, erase(asked, fields=["payee_number"]))
    shown = await disclose(dsn, RAYON, UUID(asked["command_id"]))
    assert shown.verify() == {"payee_name": NAME}
    assert await annex_differences(dsn) == []


async def test_a_repeat_after_erasure_is_answered_and_brings_nothing_back(dsn, clock):
    asked = paid()
    async with Ledger(dsn, clock=clock) as ledger:
        (first,) = await accepted(ledger, asked)
        await accepted(ledger, erase(asked))
        for annex in (PERSON, OTHERS[0]):
            (again,) = await submit(ledger, {**asked, "annex": annex})
            assert vars(again) == {**vars(first), "replayed": True}
        assert await kept(dsn) == {}


async def test_a_command_and_its_erasure_in_one_batch_leave_nothing(ledger, dsn):
    asked = paid()
    await accepted(ledger, asked, erase(asked))
    assert await kept(dsn) == {}
    assert await annex_differences(dsn) == []


async def test_an_order_before_the_command_does_not_touch_what_comes_later(ledger, dsn):
    one, two = paid(), paid()
    await accepted(ledger, erase(two), one, erase(one), two)
    assert {key for key, _ in await kept(dsn)} == {two["command_id"]}
    assert await annex_differences(dsn) == []


async def test_a_refused_order_erases_nothing(ledger, dsn):
    asked = paid()
    await accepted(ledger, asked)
    for order in (erase(asked, capacity="akim"), {**erase(asked), "reason": None}):
        (answer,) = await submit(ledger, order)
        assert answer.refusal.code in ("actor-not-authorized", "reason-missing")
    assert len(await kept(dsn)) == 2


async def test_an_order_erases_in_its_own_budget_only(ledger, dsn):
    asked = paid()
    await accepted(ledger, asked)
    await accepted(ledger, erase(asked, OBLAST), erase(asked, RAYON_2))
    assert len(await kept(dsn)) == 2


async def test_a_command_that_erases_itself_is_refused(ledger):
    command_id = str(uuid4())
    (answer,) = await submit(ledger, ask("EraseAnnex", reason="r", erased_command=command_id,
                                         command_id=command_id))  # fmt: skip
    assert answer.refusal.code == "unknown-annex"


async def test_a_persons_data_are_found_by_value(ledger, dsn):
    one, two = paid(), {**send(), "annex": {"official_name": NAME}}
    await accepted(ledger, one, two)
    found = await find_value(dsn, NAME)
    assert {(str(command), field) for _, command, field in found} == {
        (one["command_id"], "payee_name"), (two["command_id"], "official_name")}  # fmt: skip
    assert await find_value(dsn, "nobody") == []


async def test_what_has_no_annex_is_not_disclosed(ledger, dsn):
    asked = pay()
    await accepted(ledger, asked)
    for budget, command_id in (
        (RAYON, asked["command_id"]),
        (RAYON, str(uuid4())),
        (OBLAST, asked["command_id"]),
        ("KZ-2025-nowhere", str(uuid4())),
    ):
        with pytest.raises(NotFound):
            await disclose(dsn, budget, UUID(command_id))


TAMPERED = {
    "a lost value": ("DELETE FROM ledger.annex WHERE field = 'payee_name'", "lost"),
    "another value": ("UPDATE ledger.annex SET value = 'x' WHERE field = 'payee_name'",
                      "not the one committed to"),
    "another salt": ("UPDATE ledger.annex SET salt = sha256(salt)", "not the one committed to"),
    "a loose value": ("UPDATE ledger.annex SET command_id = gen_random_uuid()", "no event"),
    "a field of nobody": ("""INSERT INTO ledger.annex SELECT region, log, command_id,
                          'payer_name', salt, value FROM ledger.annex LIMIT 1""", "no event"),
}  # fmt: skip


@pytest.mark.parametrize("case", TAMPERED)
async def test_tampering_with_the_annex_is_found(ledger, dsn, case):
    await accepted(ledger, paid())
    statement, said = TAMPERED[case]
    await tamper(dsn, statement)
    assert any(said in finding for finding in await annex_differences(dsn))


async def test_a_value_that_comes_back_after_its_erasure_is_found(ledger, dsn):
    asked = paid()
    await accepted(ledger, asked)
    await tamper(dsn, "CREATE TABLE public.backup AS TABLE ledger.annex")
    await accepted(ledger, erase(asked))
    await tamper(dsn, "INSERT INTO ledger.annex TABLE public.backup")
    assert any("still there" in finding for finding in await annex_differences(dsn))


@pytest.mark.parametrize("role", ["qazyna_writer", "qazyna_projector", "qazyna_reader"])
async def test_no_other_role_reads_personal_data(dsn, role):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await query(dsn, "SELECT * FROM ledger.annex", role=role)


async def test_the_role_of_the_annex_changes_nothing(ledger, dsn):
    await accepted(ledger, paid())
    assert await query(dsn, "SELECT value FROM ledger.annex", role="qazyna_annex")
    for statement in ("DELETE FROM ledger.annex", "UPDATE ledger.annex SET value = 'x'",
                      "SELECT ledger.erase_annex(1, 1, gen_random_uuid(), '{}')"):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await query(dsn, statement, role="qazyna_annex")


async def test_personal_values_wait_in_no_memory_for_repeats(ledger):
    asked = paid()
    await accepted(ledger, asked, pay())
    assert UUID(asked["command_id"]) not in ledger.appender.recent._answers
    assert len(ledger.appender.recent._answers) >= 1


async def test_many_annexes_at_once_are_all_kept(dsn, clock):
    async with Ledger(dsn, clock=clock) as one, Ledger(dsn, clock=clock) as two:
        asked = [paid({"payee_name": f"person {n}"}) for n in range(60)]
        halves = [submit(ledger, document) for ledger in (one, two) for document in asked]
        answers = [result for (result,) in await asyncio.gather(*halves)]
        assert not [answer for answer in answers if isinstance(answer, LedgerError)]
        assert sorted(answer.replayed for answer in answers) == [False] * 60 + [True] * 60
    assert set((await kept(dsn)).values()) == {f"person {n}" for n in range(60)}
    assert await annex_differences(dsn) == []
    await assert_sound(dsn)


async def test_a_disclosed_value_of_somebody_else_is_refused(ledger, dsn):
    asked = paid()
    await accepted(ledger, asked)
    shown = await disclose(dsn, RAYON, UUID(asked["command_id"]))
    salt, _ = shown.opened["payee_name"]
    shown.opened["payee_name"] = (salt, "Somebody else")
    with pytest.raises(ProofError, match="payee_name"):
        shown.verify()
