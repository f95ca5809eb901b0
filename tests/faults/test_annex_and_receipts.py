"""Faults around personal data and receipts: a value is kept or not posted; a promise outlives."""

import asyncio
import itertools

import httpx
import pytest

from ledger.proofs.receipts import Receipt
from ledger.proofs.verify import Key
from ledger.store.annex import annex_differences
from tests.faults.messages import TO_CLIENT, TO_SERVER, MessageProxy
from tests.store.world import RAYON, ask, assert_sound, pay, query, submit

MESSAGES_MAX = 200


def paid(number):
    return {**pay(), "annex": {"payee_name": f"person {number}"}}


async def kept(dsn):
    return {row["value"] for row in await query(dsn, "SELECT value FROM ledger.annex")}


@pytest.mark.parametrize("side", [TO_SERVER, TO_CLIENT])
@pytest.mark.parametrize("erasing", [False, True], ids=["keep", "erase"])
async def test_a_posting_cut_at_any_message_keeps_its_annex_or_erases_it_once(
    open_judged, dsn, tmp_path, side, erasing
):
    """Every acknowledged command has its value, every acknowledged order destroyed one."""
    stays, goes = set(), set()
    async with MessageProxy(dsn, tmp_path) as proxy, open_judged(proxy.dsn) as run:
        for number in itertools.count(1):
            assert number < MESSAGES_MAX
            asked = paid(number)
            if erasing:
                await submit(run.ledger, asked)
                goes.add(f"person {number}")
                asked = ask("EraseAnnex", erased_command=asked["command_id"], reason="r")
            else:
                await submit(run.ledger, pay())  # the connection is warm
                stays.add(f"person {number}")
            fired = proxy.fired
            proxy.cut_at(side, number)
            (answer,) = await submit(run.ledger, asked)
            proxy.left = 0
            assert (answer.status, answer.replayed) == ("accepted", False), (number, answer)
            if proxy.fired == fired:
                break
        assert proxy.fired > 4
    found = await kept(dsn)
    assert (stays <= found, found & goes) == (True, set())
    assert await annex_differences(dsn) == []
    await assert_sound(dsn)


async def receipt_of(http, document):
    """Post a command and ask for its receipt: what it says, and whether it was a repeat."""
    answer = await http.post("/v1/commands", json=document, params={"receipt": "true"})
    told = answer.json()
    keys = [Key.parse(line) for line in (await http.get("/v1/receipts/key")).text.splitlines()]
    return Receipt.open(told["receipt"].encode(), keys), told["replayed"]


async def test_a_receipt_asked_for_after_a_crash_says_the_same(served):
    """Killed between append and receipt, and with receipts under way: each is had later, equal."""
    documents = [pay(RAYON), pay(RAYON, "99000000.00"), *(pay() for _ in range(30))]
    before = {}

    async def post(http, document):
        receipt, replayed = await receipt_of(http, document)
        assert not replayed
        before[document["command_id"]] = receipt.leaf
        if len(before) == 12:
            enough.set()

    enough = asyncio.Event()
    async with httpx.AsyncClient(base_url=served.service.url, trust_env=False) as http:
        bare = pay(RAYON)
        answer = await http.post("/v1/commands", json=bare)  # appended, and no receipt yet
        assert answer.status_code == 201
        work = asyncio.gather(*(post(http, one) for one in documents), return_exceptions=True)
        await enough.wait()
        await served.kill_both()
        lost = [one for one in await work if isinstance(one, Exception)]
    assert all(isinstance(one, httpx.TransportError) for one in lost), lost
    async with httpx.AsyncClient(base_url=served.service.url, trust_env=False) as http:
        receipt, replayed = await receipt_of(http, bare)
        assert replayed
        assert receipt.answer["position"] == answer.json()["position"]
        for document in documents:
            receipt, replayed = await receipt_of(http, document)
            leaf = before.get(document["command_id"])
            assert leaf in (None, receipt.leaf)
            assert leaf is None or replayed
    assert served.fired == 1
