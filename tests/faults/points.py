"""Named points of the service at which a test's process kills itself, patched in from outside.

The product has no hooks: `install` wraps the functions named here in a process of the tests'
own. Each wrapper looks for a file; where the file names its point it is removed, which proves
that the fault fired, and the process dies by SIGKILL.
"""

import asyncio
import inspect
import os
import signal
from collections.abc import Callable
from contextlib import asynccontextmanager
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

BEFORE, DURING, AFTER, AT_END = "before", "during", "after", "at the end"
TURNS = 3
"""Turns of the event loop after which what was written to a socket has left the process."""


class Point(NamedTuple):
    """A function as `module:name`, where its caller finds it, and when the process dies.

    `matching` stands in the first argument after self, for functions that many call.
    """

    target: str
    when: str
    matching: str = ""


_ATTEMPT, _CACHE = "ledger.store.attempt", "ledger.store.cache:Cache"
_NOTARY = "ledger.store.notary:_Work"
_REBUILD, _FETCH = "projections.rebuild", "asyncpg.connection:Connection.fetchval"
_SEND = "uvicorn.protocols.http.httptools_impl:RequestResponseCycle.send"
POINTS: dict[str, Point] = {
    "load: before budgets are looked up": Point(f"{_CACHE}.know", BEFORE),
    "load: cells are loaded": Point(f"{_CACHE}.load", AFTER),
    "load: heads are locked": Point(f"{_CACHE}.lock", AFTER),
    "load: contracts are loaded": Point(f"{_CACHE}.load_contracts", AFTER),
    "decide: before": Point(f"{_ATTEMPT}:decide", BEFORE),
    "decide: decided": Point(f"{_ATTEMPT}:decide", AFTER),
    "decide: staged": Point(f"{_ATTEMPT}:stage", AFTER),
    "append: before": Point(f"{_ATTEMPT}:Attempt._write", BEFORE),
    "append: the statement is under way": Point(f"{_ATTEMPT}:Attempt._write", DURING),
    "append: written": Point(f"{_ATTEMPT}:Attempt._write", AFTER),
    "append: before COMMIT": Point(f"{_ATTEMPT}:transaction", AT_END),
    "append: after COMMIT": Point(f"{_ATTEMPT}:transaction", AFTER),
    "answer: before": Point(f"{_ATTEMPT}:Item.finish", BEFORE),
    "answer: known inside": Point("ledger.store.append:Appender.submit", AFTER),
    "answer: before it is sent": Point(_SEND, BEFORE, "http.response.body"),
    "answer: on its way": Point(_SEND, DURING, "http.response.body"),
    "sequence: before a step": Point(_FETCH, BEFORE, "sequence_step"),
    "sequence: a step is under way": Point(_FETCH, DURING, "sequence_step"),
    "sequence: after a step": Point(_FETCH, AFTER, "sequence_step"),
    "notary: a page of leaves is read": Point("ledger.store.notary:read_hashes", AFTER),
    "notary: before the head is kept": Point(f"{_NOTARY}._sign", BEFORE),
    "notary: the head is kept": Point(f"{_NOTARY}._signed", BEFORE),
    "notary: signed, not kept": Point("ledger.store.keys:Keys.keep", BEFORE),
    "notary: kept on the disk": Point("ledger.store.keys:Keys.keep", AFTER),
    "notary: before it is published": Point(f"{_NOTARY}._publish", BEFORE),
    "notary: published": Point(f"{_NOTARY}._publish", AFTER),
    "project: before a step": Point("projections.runner:advance", BEFORE),
    "project: applied, not committed": Point("projections.parking:fold", AFTER),
    "project: after a step": Point("projections.runner:advance", AFTER),
    "swap: the new tables are made": Point(f"{_REBUILD}:build", AFTER),
    "swap: folded": Point(f"{_REBUILD}:_fold", AFTER),
    "swap: before the views change": Point(f"{_REBUILD}:put_live", BEFORE),
    "swap: the views changed, not committed": Point(f"{_REBUILD}:put_live", AFTER),
    "swap: done": Point(f"{_REBUILD}:_swap", AFTER),
}  # fmt: skip
STAGES = [*dict.fromkeys(name.partition(":")[0] for name in POINTS)]


def arm(file: Path, name: str) -> None:
    """Write at once, so that nobody reads half of it, where the next process dies."""
    draft = file.with_suffix(".draft")
    draft.write_text(name, "utf-8")
    draft.rename(file)


class Death:
    """Kills this process at one point, when a file names it."""

    def __init__(self, name: str, armed: Path) -> None:
        self.name, self.armed = name, armed
        self.point = POINTS[name]

    def comes(self, when: str, arguments: tuple[Any, ...]) -> bool:
        """Tell whether this is the point and the file names it; remove the file that does."""
        if self.point.when != when or self.point.matching not in str(arguments[1:2]):
            return False
        try:
            if self.armed.read_text("utf-8") != self.name:
                return False
            self.armed.unlink()
        except FileNotFoundError:
            return False
        return True

    def at(self, when: str, arguments: tuple[Any, ...]) -> None:
        """Die if this is the point."""
        if self.comes(when, arguments):
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()  # it may come a moment later; nothing may happen before


def install(armed: Path) -> None:
    """Wrap every named function of this process; a name that is gone fails at once."""
    for name, point in POINTS.items():
        module, _, path = point.target.partition(":")
        *owners, last = path.split(".")
        owner: Any = import_module(module)
        for part in owners:
            owner = getattr(owner, part)
        function = getattr(owner, last)
        inner = inspect.unwrap(function)
        if inspect.isasyncgenfunction(inner):
            made = _transaction(function, Death(name, armed))
        elif inspect.iscoroutinefunction(inner):
            made = _coroutine(function, Death(name, armed))
        else:
            made = _plain(function, Death(name, armed))
        setattr(owner, last, wraps(function)(made))


def _plain(function: Callable[..., Any], death: Death) -> Callable[..., Any]:
    """A function with its point before or after it."""

    def called(*arguments: Any, **named: Any) -> Any:
        death.at(BEFORE, arguments)
        result = function(*arguments, **named)
        death.at(AFTER, arguments)
        return result

    return called


def _coroutine(function: Callable[..., Any], death: Death) -> Callable[..., Any]:
    """A coroutine function with its point before, in the middle of or after it."""

    async def called(*arguments: Any, **named: Any) -> Any:
        death.at(BEFORE, arguments)
        running = asyncio.ensure_future(function(*arguments, **named))
        if death.point.when == DURING:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            death.at(DURING, arguments)
        result = await running
        death.at(AFTER, arguments)
        return result

    return called


def _transaction(function: Callable[..., Any], death: Death) -> Callable[..., Any]:
    """A transaction with its point before or after its COMMIT."""

    @asynccontextmanager
    async def called(*arguments: Any, **named: Any) -> Any:
        async with function(*arguments, **named) as entered:
            yield entered
            death.at(AT_END, arguments)
        death.at(AFTER, arguments)

    return called
