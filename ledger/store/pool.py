"""Connections: one pool a role, so that no part of the service can do more than its grants.

The writer may append, the projector may sequence and keep its own schemas, the reader may read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from ledger.errors import Unavailable

ROLES = {"writer": "qazyna_writer", "projector": "qazyna_projector", "reader": "qazyna_reader"}
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    ConnectionError,
    OSError,
    asyncio.TimeoutError,
)
"""What a lost or refused connection looks like: the outcome of a running commit is unknown."""
CONFLICT = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""40001 and 40P01: nothing was written, decide again."""


class Database:
    """The three pools of one ledger database."""

    def __init__(self, dsn: str) -> None:
        """Remember where the database is; `open` connects."""
        self.dsn = dsn
        self._pools: dict[str, asyncpg.Pool] = {}

    async def open(self, *, size: int = 8) -> None:
        """Open the pools. Raises `Unavailable` when the server does not answer."""
        sizes = {"writer": 4, "projector": 4, "reader": size}
        try:
            for name, role in ROLES.items():
                self._pools[name] = await asyncpg.create_pool(
                    self.dsn, min_size=1, max_size=sizes[name], command_timeout=None,
                    server_settings={"role": role, "jit": "off", "application_name":
                                     f"qazyna {name}", "timezone": "UTC"},
                )  # fmt: skip
        except LOST as error:
            await self.close()
            msg = f"the database does not answer: {error}"
            raise Unavailable(msg) from error

    async def close(self) -> None:
        """Close the pools, at once where a server is gone."""
        for pool in self._pools.values():
            try:
                await asyncio.wait_for(pool.close(), 5)
            except LOST:
                pool.terminate()
        self._pools.clear()

    @asynccontextmanager
    async def connect(self, role: str) -> AsyncIterator[Any]:
        """Borrow a connection of a role: "writer", "projector" or "reader"."""
        pool = self._pools.get(role)
        if pool is None:
            msg = "the database is not open"
            raise Unavailable(msg)
        async with pool.acquire(timeout=10) as connection:
            yield connection

    async def listen(self, role: str) -> Any:
        """Open a connection of its own, for LISTEN or a session lock; the caller closes it."""
        return await asyncpg.connect(self.dsn, server_settings={"role": ROLES[role]})
