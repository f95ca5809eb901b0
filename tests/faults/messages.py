"""A proxy that counts protocol messages and cuts the connection at the n-th of one direction."""

import asyncio
import contextlib
from collections.abc import Iterator

from tests.store.proxy import CHUNK, Proxy

WRITER = b"qazyna writer"
"""Stands in the startup packet of the appender's connection; all others only pass through."""
TO_SERVER, TO_CLIENT = "to the server", "to the client"


class Framer:
    """Divides a stream into messages of PostgreSQL's protocol (a length, after a type byte)."""

    def __init__(self, *, startup: bool) -> None:
        self._rest = b""
        self._startup = startup

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the messages that are complete by now."""
        self._rest += chunk
        while True:
            head = 0 if self._startup else 1
            if len(self._rest) < head + 4:
                return
            size = head + int.from_bytes(self._rest[head : head + 4], "big")
            if len(self._rest) < size:
                return
            message, self._rest = self._rest[:size], self._rest[size:]
            self._startup = False
            yield message


class MessageProxy(Proxy):
    """Cuts the appender's connection once, where it was told to."""

    left = 0
    side = TO_SERVER

    def cut_at(self, side: str, number: int) -> None:
        """Lose the number-th message from now on of a direction, and the connection with it."""
        self.side, self.left = side, number

    def cut_now(self) -> None:
        """Cut every connection of the appender; it may come back at once."""
        for writer in [*self._counted]:
            writer.transport.abort()

    async def __aenter__(self):
        self._counted: set[asyncio.StreamWriter] = set()
        return await super().__aenter__()

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        up_reader, up_writer = await asyncio.open_unix_connection(self.target, limit=CHUNK)
        both = writer, up_writer
        self._writers |= {*both}
        first = await reader.read(CHUNK)
        counted = WRITER in first
        if counted:
            self._counted |= {*both}
        back = asyncio.create_task(self._pass(TO_CLIENT, up_reader, writer, both, counted))
        self._tasks.add(back)
        await self._pass(TO_SERVER, reader, up_writer, both, counted, first)
        await back
        self._counted -= {*both}

    async def _pass(self, side, reader, writer, both, counted, chunk=b""):
        """Pass one direction on, message by message, until somebody hangs up."""
        framer = Framer(startup=side == TO_SERVER)
        with contextlib.suppress(ConnectionError):
            chunk = chunk or await reader.read(CHUNK)
            while chunk:
                for message in framer.feed(chunk):
                    if counted and self._is_the_one(side):
                        for one in both:
                            one.transport.abort()
                        return
                    writer.write(message)
                chunk = await reader.read(CHUNK)
        writer.close()

    def _is_the_one(self, side) -> bool:
        """Count a message; tell whether it is the one that gets lost."""
        if side != self.side or self.left == 0:
            return False
        self.left -= 1
        self.fired += self.left == 0
        return self.left == 0
