"""The connection cut at every protocol message of a posting in turn, in both directions."""

import asyncio

import pytest

from tests.faults.messages import TO_CLIENT, TO_SERVER, MessageProxy
from tests.faults.traffic import TOO_MUCH
from tests.store.world import OBLAST, OBLAST_2, RAYON, RAYON_2, REPUBLIC, pay, send

MESSAGES_MAX = 500
COLD_STEP = 11
KINDS = {
    "single": lambda: [pay()],
    "batch": lambda: [pay(), send(OBLAST, RAYON), pay(OBLAST_2), pay(amount=TOO_MUCH)],
    "atomic": lambda: [pay(), pay(RAYON_2)],
    "transfer": lambda: [send(REPUBLIC, OBLAST)],
}


@pytest.fixture
async def proxy(dsn, tmp_path):
    async with MessageProxy(dsn, tmp_path) as running:
        yield running


@pytest.mark.parametrize(("kind", "locked"), [
    ("single", False), ("single", True), ("batch", False), ("atomic", True), ("transfer", False),
    ("transfer", True),
])  # fmt: skip
async def test_a_posting_cut_at_any_message_is_stored_once_and_answered(
    open_judged, proxy, kind, locked
):
    async with open_judged(proxy.dsn) as run:
        if locked:
            run.ledger.appender._rival_until = asyncio.get_running_loop().time() + 600
        cuts = [await _cut_everywhere(run, proxy, kind, side) for side in (TO_SERVER, TO_CLIENT)]
        assert min(cuts) > 2
        assert proxy.fired == sum(cuts)
        verdict = await run.judge(proxy.fired)
    assert verdict.outcomes["unknown"] == verdict.outcomes["untaken"] == 0


async def test_a_posting_cut_while_its_connection_is_opened_is_stored_once(open_judged, proxy):
    """At every few messages only: opening takes many, and costs 0.2 s each time."""
    async with open_judged(proxy.dsn) as run:
        for side in (TO_SERVER, TO_CLIENT):
            assert await _cut_everywhere(run, proxy, "single", side, step=COLD_STEP) > 3
        await run.judge(proxy.fired)


async def _cut_everywhere(run, proxy, kind, side, *, step=1) -> int:
    """Post with the connection cut at message 1, 2, … until the answer comes before the cut.

    In larger steps the connection is a new one each time. Returns how many cuts there were.
    """
    for cuts, number in enumerate(range(1, MESSAGES_MAX, step)):
        if step > 1:
            proxy.cut_now()
        else:  # the connection came back without its prepared statements after the last cut
            await run.client.ask(*KINDS[kind](), atomic=kind == "atomic")
        fired = proxy.fired
        proxy.cut_at(side, number)
        heard = await run.client.ask(*KINDS[kind](), atomic=kind == "atomic")
        proxy.left = 0
        assert {one.outcome for one in heard} <= {"acked", "refused"}, (side, number, heard)
        assert not any(one.replayed for one in heard), (side, number, heard)
        if proxy.fired == fired:
            return cuts
    raise AssertionError(f"more than {MESSAGES_MAX} messages")
