"""What the benches stand on: one embedded server, databases copied from templates, the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

import asyncpg

from ledger.dates import from_iso
from ledger.service import Ledger, system_clock
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrate import migrate
from tests.bench.country import Country, documents, found_country, read_all
from tests.store.world import sequenced

SHOWN_SETTINGS = ("shared_buffers", "max_wal_size", "fsync", "synchronous_commit",
                  "full_page_writes", "data_checksums", "jit")  # fmt: skip
MOMENT = "2025-03-10T05:00:00Z"
_OFFSET = from_iso(MOMENT) - system_clock()


def clock() -> int:
    """The ledger's clock: it runs from 10 March 2025 on, because 2025 must be open."""
    return system_clock() + _OFFSET


def database_of(dsn: str) -> str:
    """Return the name of the database that an address of the embedded server names."""
    return dsn.split("/")[3].partition("?")[0]


@dataclass
class Ground:
    """One server for all benches of a run, and how much to do."""

    server: EmbeddedPostgres
    budgets: int = 2620
    events: int = 10_000
    rounds: int = 3
    long: int = 1_000_000
    """Events of a long log (T17) and of a large ledger (T18)."""
    made: dict[str, Country] = field(default_factory=dict)
    numbers: count = field(default_factory=lambda: count(1))

    async def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as the superuser."""
        connection = await asyncpg.connect(self.server.dsn(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def create(self, template: str = "template0") -> str:
        """Create a database and return its name."""
        name = f"bench_{next(self.numbers)}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        if template != "template0":
            await self.execute(f"GRANT CREATE ON DATABASE {name} TO qazyna_owner, qazyna_projector")
        return name

    @asynccontextmanager
    async def database(self, template: str = "template0") -> AsyncIterator[str]:
        """Hand out the DSN of a database that is dropped afterwards."""
        name = await self.create(template)
        try:
            yield self.server.dsn(name)
        finally:
            await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @asynccontextmanager
    async def country(
        self, regions: int = 20, budgets: int | None = None
    ) -> AsyncIterator[tuple[str, Country]]:
        """Hand out the DSN of a funded country of the republic and `regions` regions.

        Made once a run, copied each time. With 0 regions every budget is in one region.
        """
        many = budgets or self.budgets
        template = f"country_{regions}_{many}"
        if template not in self.made:
            await self.execute(f"CREATE DATABASE {template} TEMPLATE template0")
            dsn = self.server.dsn(template)
            await migrate(dsn)
            async with Ledger(dsn, clock=clock) as ledger:
                self.made[template] = await found_country(ledger, many, regions)
            await self.execute("VACUUM (ANALYZE)", template)
        async with self.database(template) as dsn:
            yield dsn, self.made[template]

    @asynccontextmanager
    async def history(self, rounds: int = 4) -> AsyncIterator[tuple[str, Country]]:
        """Hand out the DSN of a country with a history of so many rounds of traffic."""
        template = f"history_{rounds}"
        if template not in self.made:
            async with self.country() as (dsn, country):
                async with Ledger(dsn, clock=clock) as ledger:
                    await self._fill(ledger, country, rounds)
                await self.execute("VACUUM (ANALYZE)", database_of(dsn))
                await self.execute(f"CREATE DATABASE {template} TEMPLATE {database_of(dsn)}")
            self.made[template] = country
        async with self.database(template) as dsn:
            yield dsn, self.made[template]

    async def _fill(self, ledger: Ledger, country: Country, rounds: int) -> None:
        """Post the history in large requests."""
        for n in range(rounds):
            commands = read_all(ledger, documents(country, self.events, 1000 + n))
            answers = await ledger.submit(commands)
            if any(getattr(answer, "status", None) != "accepted" for answer in answers):
                raise RuntimeError("the history was not accepted")
        await sequenced(ledger, 120)

    async def machine(self) -> str:
        """Return the line that names the machine, the versions, the date and the settings."""
        connection = await asyncpg.connect(self.server.dsn("postgres"))
        try:
            version = await connection.fetchval("SHOW server_version")
            settings = [f"{name}={await connection.fetchval(f'SHOW {name}')}"
                        for name in SHOWN_SETTINGS]  # fmt: skip
        finally:
            await connection.close()
        return (
            f"{platform.machine()} {_processor()}, {os.cpu_count()} cores, load "
            f"{os.getloadavg()[0]:.1f}; Python {platform.python_version()}; PostgreSQL {version}; "
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {' '.join(settings)}; "
            f"{self.budgets} budgets, {self.events} events a round, {self.rounds} rounds"
        )


def _processor() -> str:
    """The processor's name where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as told:  # noqa: PTH123 - no file of ours
            found = [
                line.split(":", 1)[1].strip() for line in told if line.startswith("model name")
            ]
    except OSError:
        found = []
    return found[0] if found else platform.processor()
