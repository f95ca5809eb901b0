"""What people would use instead, on the same server: the library's own recorder, double entry.

The stock recorder of `eventsourcing` stores bodies of our length and does nothing else: no
decision, no hash, no cells. The double entry is `double_entry.sql`, driven by `pgbench` and, in
batches, by asyncpg.
"""

from __future__ import annotations

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from eventsourcing.persistence import StoredEvent

from ledger.store.embedded import PORT, EmbeddedPostgres
from tests.bench.country import command_id
from tests.bench.ground import database_of
from tests.bench.limits import pgbench_rate

ACCOUNTS = 2620
RICH = 10**15
NOTE = "payment under contract C1"
SCHEMA = Path(__file__).with_name("double_entry.sql")


class StockRecorder:
    """The unmodified `PostgresApplicationRecorder` (psycopg, threads) on a database."""

    def __init__(self, server: EmbeddedPostgres, dsn: str, body: bytes, threads: int = 8) -> None:
        """Connect and make its table; `body` is what every event holds."""
        # Only this needs psycopg. PSYCOPG_IMPL=python takes what `eventsourcing[postgres]`
        # installs; the binary implementation, the default here, is the faster rival.
        from eventsourcing.postgres import (  # noqa: PLC0415
            PostgresApplicationRecorder,
            PostgresDatastore,
        )
        from psycopg import pq  # noqa: PLC0415

        self.driver = pq.__impl__
        name = database_of(dsn)
        folder = str(server._socket_folder())
        self.threads, self.body = threads, body
        self._datastore = PostgresDatastore(name, folder, PORT, "postgres", "", pool_size=threads)
        self._recorder = PostgresApplicationRecorder(self._datastore)
        self._recorder.create_table()

    def close(self) -> None:
        """Disconnect."""
        self._datastore.close()

    async def rate(self, seconds: float, *, threads: int | None = None, batch: int = 1) -> float:
        """Events a second of threads that insert batches of one aggregate each."""
        many = threads or self.threads
        ends = time.perf_counter() + seconds
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(many) as pool:
            began = time.perf_counter()
            done = await asyncio.gather(
                *(loop.run_in_executor(pool, self._insert, ends, batch) for _ in range(many))
            )
            return sum(done) / (time.perf_counter() - began)

    def _insert(self, ends: float, batch: int) -> int:
        """Insert until a time; return how many events."""
        done, aggregate = 0, uuid4()
        while time.perf_counter() < ends:
            self._recorder.insert_events([
                StoredEvent(aggregate, done + n, "budget.payment.executed", self.body)
                for n in range(1, batch + 1)
            ])  # fmt: skip
            done += batch
        return done


class DoubleEntry:
    """The hand-written transfer function on a database."""

    def __init__(self, dsn: str, folder: Path) -> None:
        """Name the database, and where scripts of pgbench may lie."""
        self.dsn, self.folder = dsn, folder
        self._random = random.Random(1)

    async def make(self) -> None:
        """Make tables, functions and rich accounts."""
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(SCHEMA.read_text("utf-8"))
            await connection.execute(
                "INSERT INTO double_entry.accounts SELECT n, $1 FROM generate_series(1, $2) AS n",
                RICH, ACCOUNTS,
            )  # fmt: skip
            await connection.execute("VACUUM (ANALYZE) double_entry.accounts")
        finally:
            await connection.close()

    async def rate(self, seconds: float, *, clients: int) -> float:
        """Transfers a second, one a transaction."""
        script = (
            f"\\set giver random(1, {ACCOUNTS - 1})\n\\set taker random(1, {ACCOUNTS - 1})\n"
            f"SELECT double_entry.transfer(uuidv7(), (:giver)::int,"
            f" (CASE WHEN :taker = :giver THEN {ACCOUNTS} ELSE :taker END)::int, 100, '{NOTE}');\n"
        )
        return await pgbench_rate(self.dsn, script, seconds, self.folder, clients=clients)

    async def batched(self, many: int, *, batch: int, connections: int) -> float:
        """Transfers a second in batches, one call and transaction each."""
        batches = iter([self._batch(batch) for _ in range(max(1, many // batch))])
        opened = [await asyncpg.connect(self.dsn) for _ in range(connections)]
        done = 0

        async def post(connection: Any) -> None:
            nonlocal done
            for found in batches:
                await connection.execute(
                    "SELECT double_entry.transfer_all($1, $2, $3, $4, $5)", *found, NOTE
                )
                done += len(found[0])

        began = time.perf_counter()
        await asyncio.gather(*(post(connection) for connection in opened))
        seconds = time.perf_counter() - began
        for connection in opened:
            await connection.close()
        return done / seconds

    def _batch(self, size: int) -> tuple[list[UUID], list[int], list[int], list[int]]:
        """Make the arrays of one call: ids, givers, takers, amounts."""
        pairs = [self._random.sample(range(1, ACCOUNTS + 1), 2) for _ in range(size)]
        givers, takers = map(list, zip(*pairs, strict=True))
        return [UUID(command_id()) for _ in pairs], givers, takers, [100] * size
