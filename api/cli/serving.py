"""`qazyna serve`: the service on a port, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from typing import Annotated

import typer
import uvloop

from api.app import create_app
from api.assembly import running
from api.cli import show
from api.cli.listening import Server, bind, url_of
from api.cli.options import Home, Json, settings_of
from api.home import owned
from api.settings import Settings

GARBAGE = (50_000, 20, 20)
"""Objects and rounds between collections. Hardly anything here is in a cycle, while remembered
cells are many and stay: the interpreter's own rhythm (700, 10, 10) costs a posting 10 to 20 %."""


def serve(
    *,
    home: Home = None,
    port: Annotated[int | None, typer.Option(
        "--port", min=0, max=65535, show_default=False,
        help="Port [QAZYNA_PORT, else 8000]; 0 picks a free one")] = None,
    host: Annotated[str | None, typer.Option(
        "--host", show_default=False,
        help="Address to listen on [QAZYNA_HOST, else 127.0.0.1: this machine only]")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Serve the ledger over HTTP until SIGTERM or SIGINT.

    PostgreSQL is started below --home unless DATABASE_URL names a server. What is in flight when
    a signal comes is answered.
    """
    settings = settings_of(home)
    changed = {"host": host, "port": port}
    settings = settings.model_copy(update={k: v for k, v in changed.items() if v is not None})
    logging.getLogger().setLevel(settings.log_level.upper())
    for name in ("uvicorn", "asyncio", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    listening = bind(settings.host, settings.port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listening, as_json=as_json))


async def _serve(settings: Settings, listening: socket.socket, *, as_json: bool) -> None:
    """Start the parts, serve, and stop in order: port, requests, ledger, database."""
    server = Server()
    try:
        with server.signals():
            async with owned(settings) as place, running(place.settings(settings)) as parts:
                server.config.app = create_app(settings, parts=parts)
                gc.freeze()
                gc.set_threshold(*GARBAGE)
                server.ready_text = _where(settings, listening, as_json=as_json)
                if not server.should_exit:
                    await server.serve([listening])
    finally:
        listening.close()


def _where(settings: Settings, listening: socket.socket, *, as_json: bool) -> str:
    """Return what a person or a program needs to know of the running service."""
    url, port = url_of(listening), listening.getsockname()[1]
    if as_json:
        return show.one_line({"url": url, "home": str(settings.home), "port": port})
    kept = "DATABASE_URL" if settings.database_url else settings.home
    return f"""\
Qazyna is ready at {url} (ledger: {kept})
  interface   {url}/docs
  budgets     {url}/v1/budgets
  a report    .venv/bin/qazyna report execution BUDGET --url {url}
  to post     .venv/bin/qazyna post COMMAND.json --url {url}
              curl -H 'content-type: application/json' -d @COMMAND.json {url}/v1/commands
  to stop     Ctrl-C, or SIGTERM to this process"""
