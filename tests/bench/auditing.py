"""Bundles and audits: what it costs those who check us, and that growth alone costs again."""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import httpx

from ledger.proofs import verify
from ledger.service import Ledger
from ledger.store.migrate import migrate
from tests.bench.country import Country, documents, read_all
from tests.bench.filling import clone
from tests.bench.ground import Ground, clock
from tests.bench.serving import ROOT, Served, environment, projected, serving
from tests.bench.table import Row
from tests.store import world
from tests.store.world import sequenced

BUNDLE_EVENTS = 10_000
LOG_EVENTS = 1_000
"""Events of each budget of the audited ledger."""
GROWTH = 1_000
RULED = 50_000
"""Events of the ledger whose commands are decided again."""


async def _program(*command: str) -> tuple[float, float, str]:
    """Run a program of ours to its end; return wall and processor seconds, and what it said."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=ROOT, env=environment(),
    )  # fmt: skip
    out, err = await process.communicate()
    seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{command[:4]}: {process.returncode}: {out[:300]!r} {err[-300:]!r}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, used, out.decode()


async def _signed(service: Served, events: int) -> str:
    """Wait until a published tree holds so many events; return its note."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as client:
        async with asyncio.timeout(600):
            while True:
                answer = await client.get("/checkpoint")
                if answer.is_success and int(answer.text.split("\n")[1]) >= events:
                    return answer.text
                await asyncio.sleep(0.1)


async def _key(home: Path) -> str:
    """Return the public key of a home's notary."""
    _, _, said = await _program("-m", "api.cli", "keys", "show", "--home", str(home), "--json")
    return str(json.loads(said)["keys"][-1]["vkey"])


async def _post(dsn: str, country, many: int, *, hot: bool, seed: int) -> int:
    """Post traffic until so many events are written; return all events of the ledger."""
    async with Ledger(dsn, clock=clock) as ledger:
        for part in range(0, many, GROWTH):
            found = documents(country, min(GROWTH, many - part), seed + part, hot=hot, tenge_max=1)
            await world.accepted(ledger, *found)
        return await sequenced(ledger, 300)


async def bundles(ground: Ground) -> list[Row]:
    """Seconds from the start of the program to its verdict on a bundle of 10 000 events."""
    with tempfile.TemporaryDirectory() as folder:
        home, path, single = (Path(folder) / name for name in ("home", "kz.zip", "verify.py"))
        shutil.copy(verify.__file__, single)
        async with ground.country(budgets=200) as (dsn, country):
            events = await _post(dsn, country, BUNDLE_EVENTS, hot=True, seed=1)
            command = ("api.cli", "serve", "--port", "0", "--home", str(home))
            async with serving(*command, dsn=dsn) as service:
                await projected(dsn)
                await _signed(service, events)
                url, began = f"http://127.0.0.1:{service.port}", time.perf_counter()
                async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                    answer = await client.get(f"/v1/budgets/{country.codes[-1]}/execution.zip")
                    path.write_bytes(answer.raise_for_status().content)
                made = time.perf_counter() - began
        key = await _key(home)
        whole = [await _program("-m", "api.cli", "verify", str(path), "--key", key)
                 for _ in range(ground.rounds)]  # fmt: skip
        alone = [await _program(str(single), "bundle", str(path), "--key", key)
                 for _ in range(ground.rounds)]  # fmt: skip
    name = f"over {BUNDLE_EVENTS} events, {len(answer.content) / 1e6:.1f} MB"
    return [
        Row(id="bundle", quantity=f"qazyna verify, {name} (limit: its processor seconds)",
            unit="s", ours=min(seconds for seconds, _, _ in whole), absolute=True, less=True,
            must=2, limit=min(used for _, used, _ in whole)),
        Row(id="bundle", quantity="  the single file: hashes, proofs, sums", unit="s",
            ours=min(seconds for seconds, _, _ in alone), absolute=True, less=True, must=2,
            limit=min(used for _, used, _ in alone)),
        Row(id="bundle", quantity="  gathered and sent by the service", unit="s", ours=made),
    ]  # fmt: skip


async def audits(ground: Ground) -> list[Row]:
    """Audit of a large ledger from scratch, of its growth, and with every decision again."""
    rows = []
    for many, options in ((ground.long, ()), (RULED, ("--rules",))):
        async with ground.database() as dsn:
            country, events = await _fill(ground, dsn, many)
            rows += await _audit(dsn, country, events, options)
    return rows


async def _fill(ground: Ground, dsn: str, many: int):
    """Fill a ledger with equal budgets of a region, each with a chain of its own."""
    await migrate(dsn)
    codes = [f"KZ-2025-local-{n + 1}" for n in range(max(2, many // LOG_EVENTS))]
    async with Ledger(dsn, clock=clock) as ledger:
        await world.accepted(ledger, world.ask(
            "AdoptJurisdiction", "rulebook", jurisdiction=world.jurisdiction(),
            effective_from="2024-01-01", day="2024-01-01"))  # fmt: skip
        await world.accepted(ledger, world.opening(codes[0], 1, 3),
                             *world.setting_up(codes[0], 3))  # fmt: skip
        first = Country({1: codes[:1]})
        await ledger.submit(read_all(ledger, documents(first, LOG_EVENTS, 1, tenge_max=1)))
        connection = await asyncpg.connect(dsn)
        try:
            await clone(connection, codes[0], codes[1:])
            events = await sequenced(ledger, 600)
            await connection.execute("VACUUM (ANALYZE)")
        finally:
            await connection.close()
    return Country({1: codes}), events


async def _audit(dsn: str, country, events: int, options: tuple[str, ...]) -> list[Row]:
    """Audit once from nothing, once after some growth."""
    with tempfile.TemporaryDirectory() as folder:
        home, state = Path(folder) / "home", Path(folder) / "state"
        command = ("api.cli", "serve", "--port", "0", "--home", str(home))
        async with serving(*command, dsn=dsn) as service:
            await projected(dsn)
            await _signed(service, events)
            key, url = await _key(home), f"http://127.0.0.1:{service.port}"
            asked = ("-m", "api.cli", "audit", url, "--state", str(state), "--json", *options)
            seconds, used, _ = await _program(*asked, "--key", key)
        grown = await _post(dsn, country, GROWTH, hot=True, seed=7)
        async with serving(*command, dsn=dsn) as service:
            await projected(dsn)
            await _signed(service, grown)
            asked = (*asked[:3], f"http://127.0.0.1:{service.port}", *asked[4:])
            again, again_used, said = await _program(*asked)
        kept = state.with_name("state.memory").stat().st_size
    told = " --rules" if options else ""
    found = json.loads(said)
    if found["events"] != grown - events:
        raise RuntimeError(f"the second audit took {found['events']} events")
    limit = {"must": 60.0} if not options and events >= 10**6 else {}
    return [
        Row(id="audit", quantity=f"qazyna audit{told}, {events} events from scratch (limit: its "
            "processor seconds)", unit="s", ours=seconds, limit=used, absolute=True, less=True,
            **limit),
        Row(id="audit", quantity=f"  {found['events']} more events (limit: processor seconds)",
            unit="s", ours=again, limit=again_used),
        Row(id="audit", quantity="  the auditor's memory", unit="MB", ours=kept / 1e6),
    ]  # fmt: skip
