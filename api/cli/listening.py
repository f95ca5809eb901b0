"""A port and a server on it, for every service of the command line: ledger and witness."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from api.cli import show
from ledger.errors import Unavailable

STOP_SECONDS = 30
"""Longest wait for what is in flight when a service stops."""


def bind(host: str, port: int) -> socket.socket:
    """Take the port before anything is started; nobody can connect yet. Raises `Unavailable`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return listening


def url_of(listening: socket.socket) -> str:
    """Return the address of what was bound."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Says where to look as soon as it listens; SIGTERM and SIGINT end it in order."""

    def __init__(self, app: Any = "", ready_text: str = "") -> None:
        """Take the application and what is said when it is ready; both can be set later."""
        super().__init__(uvicorn.Config(
            app, http="httptools", ws="none", log_config=None, access_log=False,
            server_header=False, timeout_graceful_shutdown=STOP_SECONDS, lifespan="on",
        ))  # fmt: skip
        self.ready_text = ready_text

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell."""
        await super().startup(sockets)
        if self.started and not self.should_exit:
            show.say(self.ready_text)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """End the server at a signal, also at one that comes before it serves."""
        stopping = signal.SIGTERM, signal.SIGINT
        before = {number: signal.signal(number, self.handle_exit) for number in stopping}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
