"""T16 and the load: how long a start of the embedded server takes, and the republic's budget."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import asyncpg

from ledger.store.embedded import EmbeddedPostgres
from tests.bench.ground import Ground
from tests.bench.serving import ROOT, environment
from tests.bench.table import Row

MAPPING = "deploy/mappings/kz-republic-2025.toml"
LOADED_AT = "2024-12-31T09:00:00+05:00"


def _seconds(server: EmbeddedPostgres) -> float:
    """Start a server and return how long that took."""
    began = time.perf_counter()
    server.start()
    return time.perf_counter() - began


async def _write(dsn: str) -> None:
    """Leave something to recover: rows after the last checkpoint."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "CREATE TABLE written AS SELECT n, repeat('x', 400) AS body"
            " FROM generate_series(1, 50000) AS n; CREATE INDEX ON written (n)"
        )
    finally:
        await connection.close()


async def t16(ground: Ground) -> list[Row]:
    """Seconds until a server is ready: without data, with data, after a SIGKILL with writes."""
    found: dict[str, list[float]] = {"cold": [], "warm": [], "after SIGKILL": []}
    for _ in range(ground.rounds):
        home = Path(tempfile.mkdtemp(prefix="start-", dir=ground.server.home))
        server = EmbeddedPostgres(home)
        try:
            found["cold"].append(_seconds(server))
            server.stop()
            found["warm"].append(_seconds(server))
            await _write(server.dsn())
            os.kill(server.pid, signal.SIGKILL)
            while server.is_alive():  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.001)
            found["after SIGKILL"].append(_seconds(server))
        finally:
            server.stop()
            shutil.rmtree(home, ignore_errors=True)
    return [
        Row(id="T16", quantity=f"start of the embedded server, {name}", unit="s",
            ours=median(times), absolute=True, less=True, must=must, aim=aim)
        for (name, times), must, aim
        in zip(found.items(), (2, 0.3, 1), (0.7, 0.05, 0.2), strict=True)
    ]  # fmt: skip


async def _qazyna(*arguments: str, dsn: str = "") -> float:
    """Run a command of ours to its end; return its seconds, interpreter included."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.cli", *arguments, cwd=ROOT, env=environment(dsn, LOADED_AT),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    if await process.wait():
        raise RuntimeError(f"qazyna {' '.join(arguments)} ended with {process.returncode}")
    return time.perf_counter() - began


async def loading(ground: Ground) -> list[Row]:
    """Seconds of `qazyna load` of the republic's budget into an empty database."""
    rounds = []
    for _ in range(max(1, ground.rounds - 1)):
        async with ground.database() as dsn:
            rounds.append((await _qazyna("load", MAPPING, dsn=dsn), await _qazyna("version")))
    return [
        Row(id="load", quantity="`qazyna load` of the republic's budget, migration included "
            "(limit: `qazyna version`)", unit="s", ours=median(ours for ours, _ in rounds),
            limit=median(limit for _, limit in rounds),
            ratio=median(ours / limit for ours, limit in rounds))
    ]  # fmt: skip
