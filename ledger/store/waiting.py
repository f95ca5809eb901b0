"""Requests that wait for the appender, by the region of their first command.

While one half of what waits is being written the other half is decided. Halves are made of whole
regions: a call of `ledger.append` serves one region, so fewer regions in a batch are fewer calls.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.errors import Broken, LedgerError, OutcomeUnknown, RetryLater
from ledger.events import Command
from ledger.store.answers import Answer

Result = Answer | LedgerError
BATCH = 512
"""Most commands decided and written together (a larger atomic request stays whole)."""
HALVED = 64
"""Fewer waiting commands than this are taken all at once."""
UNDECIDED = RetryLater, OutcomeUnknown
LONG = -1
"""Where parts of long requests wait, instead of with a region: one part may need an earlier one."""


@dataclass
class Long:
    """A request that comes in parts: decided in their order, and none after one that was not.

    A command that fails by itself (`Broken`, `NotFound`) stops nothing.
    """

    parts: int = 0
    broken: int | None = None
    """The first part with a command that could not be decided (`RetryLater`, `OutcomeUnknown`)."""

    def breaks(self, part: int) -> None:
        """Take a part as not decided."""
        self.broken = part if self.broken is None else min(part, self.broken)


@dataclass
class Item:
    """A request waiting in the queue: commands decided together, one result each."""

    commands: Sequence[Command]
    atomic: bool
    done: asyncio.Future[list[Result]]
    results: list[Result | None]
    long: Long | None = None
    """The request that this is a part of."""
    part: int = 0
    pending: dict[int, Result] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Tell whether a command has no result yet."""
        return None in self.results

    @property
    def is_cut_off(self) -> bool:
        """Tell whether an earlier part of the request could not be decided."""
        broken = self.long.broken if self.long is not None else None
        return broken is not None and broken <= self.part

    def open_commands(self) -> list[Command]:
        """Return the commands without a result."""
        return [asked for asked, result in zip(self.commands, self.results, strict=True)
                if result is None]  # fmt: skip

    def finish(self, otherwise: LedgerError | None = None) -> None:
        """Hand out the results; `otherwise` stands for those that are still open."""
        results = [result or otherwise or Broken("no result") for result in self.results]
        if self.long is not None and any(isinstance(r, UNDECIDED) for r in results):
            self.long.breaks(self.part)
        if not self.done.done():
            self.done.set_result(results)


class Waiting:
    """Items in the order of their coming within a region; regions take turns."""

    def __init__(self) -> None:
        """Start empty."""
        self.commands = self.items = 0
        self._regions: dict[int, deque[Item]] = {}

    def put(self, item: Item, region: int) -> None:
        """Add a request."""
        self._regions.setdefault(LONG if item.long else region, deque()).append(item)
        self.commands += len(item.commands)
        self.items += 1

    def take(self, *, whole: bool) -> list[Item]:
        """Take a batch: everything that waits, or where much waits whole regions of about half.

        An atomic request goes alone.
        """
        limit = BATCH if whole or self.commands < HALVED else min(BATCH, -(-self.commands // 2))
        taken: list[Item] = []
        count = 0
        while self._regions and count < limit:
            region, items = next(iter(self._regions.items()))
            while items and count < limit:
                size = len(items[0].commands)
                if taken and (items[0].atomic or count + size > BATCH):
                    break
                taken.append(items.popleft())
                count += size
                if taken[0].atomic:
                    limit = 0
            left = bool(items)
            del self._regions[region]
            if left:
                self._regions[region] = items
                break
        self.commands -= count
        self.items -= len(taken)
        return taken
