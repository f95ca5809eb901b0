"""SIGKILL of a service at named points of a posting's way, each in turn; nothing is lost."""

import asyncio

import pytest

from tests.faults.points import POINTS, STAGES
from tests.faults.stored import query
from tests.faults.traffic import TOO_MUCH
from tests.proofs.ledgers import assert_one_history
from tests.store.world import OBLAST, RAYON, RAYON_2, REPUBLIC, pay, send

STALE = "UPDATE projections.versions SET fingerprint = 'older' WHERE state = 'live'"


@pytest.mark.parametrize("stage", STAGES)
async def test_a_service_killed_at_a_named_point_loses_nothing(nursery, stage):
    points = [name for name in POINTS if name.startswith(f"{stage}:")]
    for point in points:
        if stage == "swap":  # a service rebuilds at its start what another release has made
            await query(nursery.dsn, STALE)
            nursery.arm(point)
            await nursery.start()
        else:
            await nursery.start()
            nursery.arm(point)
        postings = asyncio.gather(*_postings(nursery.client))
        await nursery.died()
        await postings
    await nursery.start()
    assert nursery.fired == len(points)
    await nursery.judge()
    await assert_one_history(nursery.dsn, nursery.keys)


def _postings(client) -> list:
    """Every kind of a posting at once; a new service meets each of them cold."""
    return [
        client.ask(pay()), client.ask(send(REPUBLIC, OBLAST)),
        client.ask(pay(), pay(OBLAST), atomic=True),
        client.ask(pay(RAYON_2), pay(amount=TOO_MUCH), send(OBLAST, RAYON), pay()),
    ]  # fmt: skip
