"""The façade of the ledger: submit commands, read events, ask for the rules in force.

Everything else (HTTP, CLI, projections) stands on these few methods; storage is behind them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Self
from uuid import UUID

import ledger.instruments  # noqa: F401 - fills the registry of commands and events
from ledger.errors import LedgerError, NotFound
from ledger.events import Command, read_command
from ledger.rules import Rules
from ledger.store.annex import seal
from ledger.store.answers import Answer, find_answer
from ledger.store.append import Appender
from ledger.store.pool import Database
from ledger.store.read import (
    FeedEvent,
    find_budget,
    find_heads,
    list_budgets,
    load_rules,
    read_feed,
)
from ledger.store.sequencer import Sequencer
from ledger.store.waiting import Long

Clock = Callable[[], int]


def system_clock() -> int:
    """Return the time as microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class Ledger:
    """One ledger database, open for posting and reading."""

    def __init__(
        self, dsn: str, *, clock: Clock = system_clock, queue_commands_max: int = 20_000
    ) -> None:
        """Take the database and the clock (microseconds since 1970 UTC)."""
        self.database = Database(dsn)
        self.clock = clock
        self.appender = Appender(self.database, clock, queue_commands_max=queue_commands_max)
        self.sequencer = Sequencer(self.database, clock)
        self.appender.after_append = self.sequencer.nudge
        self._digits = 2

    async def open(self) -> None:
        """Connect, load the rulebook, start appending and sequencing."""
        await self.database.open()
        try:
            await self.appender.start()
        except BaseException:
            await self.close()
            raise
        await self.sequencer.start()

    async def close(self) -> None:
        """Answer what is waiting, sequence nothing more, disconnect."""
        await self.appender.stop()
        await self.sequencer.stop()
        await self.database.close()

    async def __aenter__(self) -> Self:
        """Open on entry."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close on exit."""
        await self.close()

    @property
    def rules(self) -> Rules:
        """The rules that the next decision will use, as far as this process knows."""
        return self.appender.rules

    @property
    def digits(self) -> int:
        """Decimals of the ledger's currency; 2 before a jurisdiction is adopted."""
        adopted = self.rules.adopted
        if adopted is not None:
            self._digits = adopted.minor_digits  # the rules are forgotten for a moment at times
        return self._digits

    def read(self, document: dict[str, Any]) -> Command:
        """Read a command from wire JSON. Raises `Invalid` naming every place and reason."""
        return read_command(document, digits=self.digits, seal=seal)

    async def submit(
        self, commands: Sequence[Command], *, atomic: bool = False, long: Long | None = None
    ) -> list[Answer | LedgerError]:
        """Decide commands in order; one result each, an error only of what cannot be decided.

        Parts of one `long` request are decided in the order in which they are submitted, and none
        after one that was not decided. Raises `Overloaded` or `Unavailable` when nothing was taken.
        """
        return await self.appender.submit(commands, atomic=atomic, long=long)

    async def answer(self, budget: str, command_id: UUID) -> Answer:
        """Return the stored answer to a command. Raises `NotFound`."""
        async with self.database.connect("reader") as connection:
            heads = await find_heads(connection, [budget])
            if budget not in heads:
                raise NotFound("unknown-budget", f"no budget {budget} is open", budget=budget)
            found = await find_answer(connection, heads[budget], command_id)
        if found is None:
            raise NotFound(
                "unknown-command",
                f"no command {command_id} is stored in {budget}",
                budget=budget,
                command_id=str(command_id),
            )
        return found

    async def events(
        self, after: int = 0, limit: int = 1000, budget: str | None = None
    ) -> list[FeedEvent]:
        """Return sequenced events after a sequence, at most `limit`."""
        async with self.database.connect("reader") as connection:
            return await read_feed(connection, after, limit, budget)

    async def budgets(self, after: str = "", limit: int = 1000) -> list[dict[str, Any]]:
        """Return the logs after a code, with the facts of each."""
        async with self.database.connect("reader") as connection:
            return await list_budgets(connection, after, limit)

    async def budget(self, code: str) -> dict[str, Any]:
        """Return one log with its facts. Raises `NotFound`."""
        async with self.database.connect("reader") as connection:
            found = await find_budget(connection, code)
        if found is None:
            raise NotFound("unknown-budget", f"no budget {code} is open", budget=code)
        return found

    async def rules_now(self) -> Rules:
        """Return the rulebook as it is committed."""
        async with self.database.connect("reader") as connection:
            return await load_rules(connection)

    async def position(self, budget: str) -> int:
        """Return a budget's last position. Raises `NotFound`."""
        async with self.database.connect("reader") as connection:
            heads = await find_heads(connection, [budget])
        if budget not in heads:
            raise NotFound("unknown-budget", f"no budget {budget} is open", budget=budget)
        return heads[budget].position
