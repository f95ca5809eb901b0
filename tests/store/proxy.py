"""A proxy between the ledger and its server that loses what a test tells it to lose."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from pathlib import Path

CHUNK = 1 << 20


def is_append(chunk: bytes) -> bool:
    """Whether a client's bytes are a call of `ledger.append`: nothing else is as long."""
    return chunk[:1] in b"BP" and len(chunk) > 1200


def is_commit(chunk: bytes) -> bool:
    return b"COMMIT" in chunk


class Proxy:
    """Listens on a socket of its own and forwards to the server's.

    `arm` chooses what happens once to the first request that matches: "request" is lost on its
    way, the "answer" is lost, the request arrives "late" after its client was cut off, or the
    whole connection falls "silent".
    """

    def __init__(self, dsn: str, folder: Path) -> None:
        host = re.search(r"host=([^&]+)", dsn)[1]
        self.dsn = dsn.replace(host, str(folder))
        self.target = f"{host}/.s.PGSQL.5432"
        self.path = folder / ".s.PGSQL.5432"
        self.fired = 0
        self.mode: str | None = None
        self.matches: Callable[[bytes], bool] = is_append
        self.refuses = False
        self.stays_away = False
        self._tasks: set[asyncio.Task] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self):
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=CHUNK)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def arm(self, mode: str, matches=is_append, *, stays_away: bool = False) -> None:
        """Lose something once; with `stays_away` refuse connections from then on."""
        self.mode, self.matches, self.stays_away = mode, matches, stays_away

    def hang_up(self) -> None:
        """Cut every connection and refuse new ones."""
        self.refuses = True
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        if self.refuses:
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_unix_connection(self.target, limit=CHUNK)
        self._writers.add(up_writer)
        link = {"lost": False, "silent": False}
        back = asyncio.create_task(self._answers(up_reader, writer, link))
        self._tasks.add(back)
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(CHUNK):
                if link["silent"]:
                    continue
                if self.mode and self.matches(chunk):
                    await self._lose(chunk, writer, up_writer, link)
                    continue
                up_writer.write(chunk)
        if not link["lost"]:
            up_writer.close()
        writer.close()

    async def _lose(self, chunk, writer, up_writer, link):
        mode, self.mode = self.mode, None
        self.fired += 1
        self.refuses = self.refuses or self.stays_away
        link["lost"] = True
        if mode == "silent":
            link["silent"] = True
        elif mode == "request":
            writer.transport.abort()
            up_writer.transport.abort()
        elif mode == "late":
            writer.transport.abort()
            await asyncio.sleep(0.15)
            up_writer.write(chunk)
        else:
            up_writer.write(chunk)

    async def _answers(self, up_reader, writer, link):
        with contextlib.suppress(ConnectionError):
            while chunk := await up_reader.read(CHUNK):
                if link["lost"]:
                    writer.transport.abort()
                elif not link["silent"]:
                    writer.write(chunk)
        writer.close()
