"""The service and its database server killed under load, and stopped: nothing is lost."""

import asyncio
import os
import shutil
import signal
import subprocess
from contextlib import asynccontextmanager

import asyncpg
import httpx

from ledger.store.embedded import EmbeddedPostgres
from tests.faults.journal import load
from tests.faults.traffic import dice, traffic
from tests.store.world import OBLAST, RAYON, pay

BETWEEN = (15, 50)
"""Acknowledged commands between two faults, least and most."""
WAITING = 20


@asynccontextmanager
async def under_load(served, name, batch=1):
    """Post until the block ends; hand out how to wait for some more acknowledged commands."""
    chance, stop = dice(name), asyncio.Event()
    work = asyncio.create_task(
        load(served.client, traffic(dice(f"{name} traffic")), stop, workers=6, batch=batch)
    )

    async def more() -> None:
        await served.client.reached(served.client.count("acked") + chance.randint(*BETWEEN))
        assert not work.done(), work

    await more()
    try:
        yield more
        await more()
    finally:
        stop.set()
        await work


async def test_a_service_killed_under_load_loses_nothing(served):
    async with under_load(served, "service") as more:
        for _ in range(2):
            await served.kill_service()
            await more()
    verdict = await served.judge()
    assert verdict.outcomes["unknown"] > 0  # somebody's request was under way each time


async def test_a_database_server_killed_under_load_loses_nothing(served):
    async with under_load(served, "server") as more:
        for how in (signal.SIGKILL, signal.SIGQUIT, signal.SIGKILL):
            await served.kill_server(how)
            await more()
    await served.judge()


async def test_both_killed_at_once_under_batches_lose_nothing(served):
    async with under_load(served, "both", batch=5) as more:
        await served.kill_both()
        await more()
    await served.judge()


async def test_a_service_that_is_stopped_answers_every_request_it_has_taken(served):
    """Requests are held inside by a lock, so that the signal surely comes between them."""
    holder = await asyncpg.connect(served.dsn)
    await holder.execute("BEGIN")
    await holder.execute(f"SELECT 1 FROM ledger.heads WHERE code = '{RAYON}' FOR UPDATE")
    asked = [pay() for _ in range(WAITING // 2)] + [pay(OBLAST) for _ in range(WAITING // 2)]
    inside = asyncio.gather(*(served.client.ask(one) for one in asked))
    async with asyncio.timeout(30), httpx.AsyncClient(trust_env=False) as http:
        while (  # noqa: ASYNC110
            f"qazyna_queue_commands {WAITING}.0"
            not in (await http.get(f"{served.service.url}/metrics")).text
        ):
            await asyncio.sleep(0.02)
    os.kill(served.service.process.pid, signal.SIGTERM)
    served.fired += 1
    await _port_closed(served)
    await holder.execute("ROLLBACK")
    await holder.close()
    assert {one.outcome for (one,) in await inside} == {"acked"}
    assert await served.ended() == 0
    await served.start()
    await served.judge()


async def _port_closed(served) -> None:
    """Wait until the service takes no new connection: the signal has arrived."""
    async with asyncio.timeout(30):
        while True:
            try:
                async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
                    await http.get(f"{served.service.url}/healthz")
            except httpx.TransportError:
                break
            await asyncio.sleep(0.02)


async def test_a_service_stopped_under_load_and_started_again_loses_nothing(served):
    async with under_load(served, "stop") as more:
        os.kill(served.service.process.pid, signal.SIGTERM)
        served.fired += 1
        assert await served.ended() == 0
        await served.start()
        await more()
    await served.judge()


def test_a_lock_of_a_killed_server_that_names_a_stranger_does_not_stop_the_start(tmp_path):
    """To PostgreSQL any process of its own user is alive, also a zombie that nobody waits for."""
    server = EmbeddedPostgres(tmp_path / "home")
    with server:
        user = server.pgdata.stat().st_uid if os.geteuid() == 0 else None
        stranger = subprocess.Popen(["sleep", "600"], user=user, start_new_session=True)
        os.kill(server.pid, signal.SIGKILL)
        server._process.wait()
        lock = server._socket_folder() / ".s.PGSQL.5432.lock"
        lock.write_text("\n".join([str(stranger.pid), *lock.read_text().splitlines()[1:], ""]))
        try:
            server.start()
        finally:
            stranger.kill()
            stranger.wait()
        assert server.is_alive()
    shutil.rmtree(tmp_path / "home")
