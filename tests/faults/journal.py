"""Clients that keep a journal: what was asked, and what was answered, before anything is believed.

An entry's outcome is one of: acked, refused (both with a position), unknown, untaken (nothing was
written, says the ledger), withheld (of an atomic request that was not written), reused (the id
belongs to another body) and failed, which no fault may cause.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from ledger.errors import LedgerError, OutcomeUnknown, RetryLater
from ledger.service import Ledger
from ledger.store.answers import CommandIdReused

OPEN = ("unknown", "untaken")
"""Outcomes that ask for another try under the same id."""
SETTLED = ("acked", "refused")
PAUSE_SECONDS = 0.3
"""How long a client of the load waits after an answer that settles nothing."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One asking of one command: its bytes' hash and what was heard."""

    document: dict[str, Any]
    body_hash: str
    outcome: str
    position: int | None = None
    code: str | None = None
    replayed: bool | None = None

    @property
    def command_id(self) -> str:
        """The client's id of the command."""
        return self.document["command_id"]


def body(document: dict[str, Any]) -> bytes:
    """The bytes that a client sends."""
    return json.dumps(document, ensure_ascii=False).encode()


def entry(document: dict[str, Any], outcome: str, **heard: Any) -> Entry:
    """Write one line of a journal."""
    digest = hashlib.sha256(body(document)).hexdigest()
    return Entry(document=document, body_hash=digest, outcome=outcome, **heard)


class Client:
    """A client whose every asking ends in its journal, whatever happens meanwhile."""

    def __init__(self) -> None:
        self.journal: list[Entry] = []

    async def ask(self, *documents: dict[str, Any], atomic: bool = False) -> list[Entry]:
        """Ask once; what has no answer by the end is unknown."""
        heard: list[Entry] = []
        try:
            async for one in self._heard(documents, atomic=atomic):
                heard.append(one)  # noqa: PERF401 - kept when the next one fails
        finally:
            heard += [entry(document, "unknown") for document in documents[len(heard) :]]
            self.journal += heard
        return heard

    def _heard(self, documents: Any, *, atomic: bool) -> AsyncIterator[Entry]:
        raise NotImplementedError

    def count(self, *outcomes: str) -> int:
        """Count entries of the journal."""
        return sum(one.outcome in outcomes for one in self.journal)

    async def reached(self, acked: int, seconds: float = 60) -> None:
        """Wait until so many commands were acknowledged: then a fault meets real load."""
        async with asyncio.timeout(seconds):
            while self.count("acked") < acked:  # noqa: ASYNC110 - a count, not an event
                await asyncio.sleep(0.002)


class InProcess(Client):
    """A client of a `Ledger` in this process."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger

    async def _heard(self, documents: Any, *, atomic: bool) -> AsyncIterator[Entry]:
        try:
            commands = [self.ledger.read(document) for document in documents]
            answers = await self.ledger.submit(commands, atomic=atomic)
        except RetryLater as error:
            answers = [error] * len(documents)
        for document, answer in zip(documents, answers, strict=True):
            yield _of_answer(document, answer)


def _of_answer(document: dict[str, Any], answer: Any) -> Entry:
    """Write down an answer of the façade."""
    if isinstance(answer, LedgerError):
        outcome = "failed"
        for kind, name in ((RetryLater, "untaken"), (OutcomeUnknown, "unknown"),
                           (CommandIdReused, "reused")):  # fmt: skip
            outcome = name if isinstance(answer, kind) else outcome
        return entry(document, outcome, code=answer.code)
    if answer.position is None:
        return entry(document, "withheld")
    code = answer.refusal.code if answer.refusal else None
    return entry(document, "refused" if code else "acked", position=answer.position, code=code,
                 replayed=answer.replayed)  # fmt: skip


class OverHttp(Client):
    """A client of a service; `url` is asked each time, for a service that was started again."""

    def __init__(self, url: Callable[[], str]) -> None:
        super().__init__()
        self.url = url
        self._http = httpx.AsyncClient(timeout=90, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _heard(self, documents: Any, *, atomic: bool) -> AsyncIterator[Entry]:
        """One command alone, several as a batch of lines; a cut answer tells what it told."""
        remaining = iter(documents)
        try:
            if len(documents) == 1 and not atomic:
                answer = await self._http.post(
                    f"{self.url()}/v1/commands", content=body(documents[0]),
                    headers={"content-type": "application/json"})  # fmt: skip
                yield _of_status(next(remaining), answer.status_code, answer.json())
                return
            async with self._http.stream(
                "POST", f"{self.url()}/v1/commands/batch", params={"atomic": str(atomic).lower()},
                content=b"\n".join(body(document) for document in documents),
                headers={"content-type": "application/x-ndjson"},
            ) as answer:  # fmt: skip
                async for line in answer.aiter_lines():
                    told = json.loads(line)
                    yield _of_status(next(remaining), told["status"], told)
        except (httpx.TransportError, json.JSONDecodeError):
            return


def _of_status(document: dict[str, Any], status: Any, told: dict[str, Any]) -> Entry:
    """Write down an answer of the service: a status of HTTP, or a verdict's own word."""
    names = {200: "acked", 201: "acked", "accepted": "acked", 409: "refused", 424: "withheld",
             503: "untaken", 504: "unknown"}  # fmt: skip
    outcome = names.get(status, "failed")
    if told.get("code") == "command-id-reused":
        outcome = "reused"
    if outcome == "refused" and told["position"] is None:
        outcome = "withheld"
    if outcome not in SETTLED:
        return entry(document, outcome, code=told.get("code"))
    return entry(document, outcome, position=told["position"], code=told.get("code"),
                 replayed=told["replayed"])  # fmt: skip


async def load(
    client: Client, documents: Iterable[dict[str, Any]], stop: asyncio.Event | None = None, *,
    workers: int = 8, batch: int = 1,
) -> None:  # fmt: skip
    """Post until the documents end or `stop` is set; `batch` at a time."""
    queue: Iterator[dict[str, Any]] = iter(documents)

    async def worker() -> None:
        while not (stop and stop.is_set()):
            part = [one for _, one in zip(range(batch), queue, strict=False)]
            if not part:
                return
            heard = await client.ask(*part)
            if any(one.outcome in OPEN for one in heard):
                await asyncio.sleep(PAUSE_SECONDS)

    await asyncio.gather(*(worker() for _ in range(workers)))
