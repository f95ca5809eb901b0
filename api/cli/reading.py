"""Questions are answered by the HTTP interface; `qazyna export`.

Without --url the service runs inside this process without a port, on the ledger of --home, so
that both ways give the same bytes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import httpx
import orjson
import typer

from api import client
from api.cli import show
from api.cli.options import Budget, Home, Json, Url, settings_of
from api.cli.outcome import EPILOG
from api.home import database, settle

PAGE = 1000
T = TypeVar("T")
exports = typer.Typer(help="Write what is stored, for other programs.", epilog=EPILOG,
                      no_args_is_help=True, rich_markup_mode=None)  # fmt: skip


def ask(home: Path | None, url: str | None, work: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """Let work ask a running service, or the ledger of a home."""
    if url is not None:
        return asyncio.run(_remote(url, work))
    settings = settings_of(home)
    with database(settings) as place:

        @asynccontextmanager
        async def inside() -> AsyncIterator[httpx.AsyncClient]:
            await settle(settings, place.dsn)
            async with client.inside(settings, place, applied=True) as service:
                yield service

        async def run() -> T:
            async with inside() as service:
                return await work(service)

        return asyncio.run(run())


async def _remote(url: str, work: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """Let work ask a running service."""
    async with client.remote(url) as service:
        return await work(service)


@exports.command("events", epilog=EPILOG)
def export_events(
    *,
    budget: Budget = None,
    after: Annotated[int, typer.Option("--after", min=0, help="Events after a sequence")] = 0,
    out: Annotated[Path | None, typer.Option(
        "--out", metavar="FILE", show_default=False, help="A file instead of standard output")
    ] = None,
    form: Annotated[str, typer.Option(
        "--format", metavar="ndjson", help="One JSON object a line")] = "ndjson",
    url: Url = None,
    home: Home = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write events by sequence, a JSON object a line; `body` is the stored text, byte for byte.

    With --out, --json tells how many were written and the last sequence, to go on --after.
    """
    if form != "ndjson":
        raise typer.BadParameter(f"{form!r} is not offered; ndjson is", param_hint="--format")
    target = out.open("wb") if out else sys.stdout.buffer

    async def work(service: httpx.AsyncClient) -> tuple[int, int]:
        written, last = 0, after
        while True:
            page = await client.get(service, client.EVENTS, {
                "budget": budget, "after": last, "limit": PAGE})  # fmt: skip
            for item in page["items"]:
                target.write(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE))
            written += len(page["items"])
            last = page["next"]
            if len(page["items"]) < PAGE:
                return written, last

    try:
        written, last = ask(home, url, work)
        target.flush()
    finally:
        if out:
            target.close()
    if out and as_json:
        show.emit({"events": written, "sequence": last, "file": str(out)})
    elif out:
        show.say(f"{written} events up to sequence {last} in {out}")


async def collect(
    service: httpx.AsyncClient, path: str, parameters: dict[str, Any], limit: int | None = None
) -> list[dict[str, Any]]:
    """Return the items of all pages of a list, at most `limit`."""
    found: list[dict[str, Any]] = []
    after = parameters.get("after")
    while limit is None or len(found) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        page = await client.get(service, path, {**parameters, "after": after, "limit": size})
        found += page["items"]
        after = page["next"]
        if after is None or not page["items"]:
            break
    return found
