"""Connections: one pool a role, so that no part of the service can do more than its grants.

The writer may append, the projector may sequence and keep its own schemas, the reader may read;
personal data is read as `annex` only, which has no pool (docs/decisions/0011).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from ledger.errors import Unavailable

ROLES = {"writer": "qazyna_writer", "projector": "qazyna_projector", "reader": "qazyna_reader",
         "annex": "qazyna_annex"}  # fmt: skip
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    ConnectionError,
    OSError,
    asyncio.TimeoutError,
)
"""What a lost, refused, full or demoted server looks like: what ran then has an unknown outcome."""
CONFLICT = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""40001 and 40P01: nothing was written, decide again."""
IDLE_SECONDS = 10.0
"""A transaction that is silent for so long is ended by the server: its locks must not outlive a
client that was cut off without a word."""


def is_lost(error: BaseException) -> bool:
    """Tell whether an error means that the server is gone; a wrong argument does not."""
    return isinstance(error, LOST) and not (
        isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    )


@asynccontextmanager
async def transaction(connection: Any, begin: str = "BEGIN") -> AsyncIterator[None]:
    """Commit on exit, roll back on error; where the server is gone ask nothing more of it."""
    await connection.execute(begin)
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) and not is_lost(error):
            await connection.execute("ROLLBACK")
        else:
            connection.terminate()
        raise
    await connection.execute("COMMIT")


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
            for name, most in sizes.items():
                self._pools[name] = await asyncpg.create_pool(
                    self.dsn, min_size=1, max_size=most, command_timeout=None,
                    server_settings=_settings(name),
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

    async def listen(self, role: str, *, answer_seconds: float | None = None) -> Any:
        """Open a connection of its own, for LISTEN, a session lock or one user; who opens closes.

        A statement that takes longer than `answer_seconds` counts as lost.
        """
        settings = {"idle_in_transaction_session_timeout": f"{int(IDLE_SECONDS * 1000)}ms"}
        if answer_seconds is not None:
            # Between two calls that were sent together the server is not "idle in transaction".
            settings["transaction_timeout"] = f"{int(2 * answer_seconds * 1000)}ms"
        return await asyncpg.connect(
            self.dsn, server_settings={**_settings(role), **settings},
            command_timeout=answer_seconds, timeout=10,
        )  # fmt: skip


def _settings(role: str) -> dict[str, str]:
    """Return the session settings of a role's connections."""
    return {"role": ROLES[role], "jit": "off", "timezone": "UTC",
            "application_name": f"qazyna {role}"}  # fmt: skip
