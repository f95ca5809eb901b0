"""`qazyna serve`: the service on a port, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from typing import Annotated

import typer
import uvicorn
import uvloop

from api.app import create_app
from api.assembly import running
from api.cli import show
from api.cli.options import Home, Json, settings_of
from api.home import owned
from api.settings import Settings
from ledger.errors import Unavailable

STOP_SECONDS = 30
"""Longest wait for what is in flight when the service stops."""


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
    listening = _bind(settings.host, settings.port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listening, as_json=as_json))


def _bind(host: str, port: int) -> socket.socket:
    """Take the port before anything is started; nobody can connect yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return listening


class _Server(uvicorn.Server):
    """Says where to look as soon as it listens."""

    ready_text = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell."""
        await super().startup(sockets)
        if self.started and not self.should_exit:
            show.say(self.ready_text)


async def _serve(settings: Settings, listening: socket.socket, *, as_json: bool) -> None:
    """Start the parts, serve, and stop in order: port, requests, ledger, database."""
    config = uvicorn.Config(
        "", http="httptools", ws="none", log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS, lifespan="on",
    )  # fmt: skip
    server = _Server(config)
    stopping = signal.SIGTERM, signal.SIGINT
    before = {number: signal.signal(number, server.handle_exit) for number in stopping}
    try:
        async with owned(settings) as place, running(place.settings(settings)) as parts:
            config.app = create_app(settings, parts=parts)
            server.ready_text = _where(settings, listening, as_json=as_json)
            if not server.should_exit:
                await server.serve([listening])
    finally:
        listening.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _where(settings: Settings, listening: socket.socket, *, as_json: bool) -> str:
    """Return what a person or a program needs to know of the running service."""
    host, port = listening.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
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
