"""One example's ledger: a database of its own, its clients, and what judges every answer.

Whatever was asked, `settle` asks again until it is answered, reads what is stored by now through
the façade, gives the oracle the same commands in the order in which they were decided, and compares
every verdict and every answer.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from ledger.dates import to_iso
from ledger.errors import NotFound, RetryLater, Unavailable
from ledger.events import decode, log_id, read_command
from ledger.service import Ledger
from ledger.store.pool import LOST
from ledger.store.read import FeedEvent
from projections.runner import Runner
from tests.faults.journal import OPEN, SETTLED, Entry, InProcess, _of_answer, entry
from tests.faults.messages import MessageProxy
from tests.faults.nothing_lost import Verdict, nothing_lost
from tests.faults.stored import WAIT_SECONDS, Row, in_order
from tests.instruments.deck import agree
from tests.machine.ground import Clock, Ground

PAUSE_SECONDS = 0.02
"""Between two askings of what has no answer yet."""


class Proxy(MessageProxy):
    """The proxy of the appender's messages, over a server that may be away for a moment."""

    async def _serve(self, reader: Any, writer: Any) -> None:
        try:
            await super()._serve(reader, writer)
        except OSError:
            writer.transport.abort()


class Asker(InProcess):
    """A client that shares a journal with others and keeps what was answered but not stored."""

    def __init__(self, ledger: Ledger, journal: list[Entry]) -> None:
        super().__init__(ledger)
        self.journal = journal
        self.unstored: list[tuple[dict[str, Any], Any]] = []

    async def _heard(self, documents: Any, *, atomic: bool) -> Any:
        try:
            commands = [self.ledger.read(document) for document in documents]
            answers: Any = await self.ledger.submit(commands, atomic=atomic)
        except RetryLater as error:
            answers = [error] * len(documents)
        for document, answer in zip(documents, answers, strict=True):
            if isinstance(answer, NotFound):
                yield entry(document, "withheld", code=answer.code)
            else:
                yield _of_answer(document, answer)
            if getattr(answer, "position", 0) is None or isinstance(answer, NotFound):
                self.unstored.append((document, answer))

    async def all_at_once(self, documents: Sequence[dict[str, Any]]) -> None:
        """Ask each command alone, all in one moment."""
        await asyncio.gather(*(self.ask(document) for document in documents))


class Country:
    """A founded ledger with an oracle beside it; `fired` counts its faults."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.oracle, self.deck = ground.begun()
        self.clock = Clock()
        self.clock.now = ground.clock.now
        self.folder = Path(tempfile.mkdtemp(prefix="qazyna-"))
        self.journal: list[Entry] = []
        self.documents: dict[str, list[dict[str, Any]]] = {}
        self.fired: Counter[str] = Counter()
        self.verdicts: Counter[tuple[str, str]] = Counter()
        self.reached: Counter[str] = Counter()
        self.known: dict[str, list[tuple[int, int, int]]] = {}
        self.at: dict[tuple[str, int], str] = {}
        self.judged = 0
        self._rival: Ledger | None = None
        for number, first in enumerate(in_order(ground.earlier.rows, self.reached), 1):
            self._place(first, ground.earlier.rows, number)
        self.last = len(ground.earlier.rows)

    async def open(self) -> None:
        """Copy the founded database and open a ledger on it, behind a proxy."""
        self.dsn = await self.ground.copy()
        self.proxy = Proxy(self.dsn, self.folder)
        await self.proxy.__aenter__()
        await self.start()

    async def start(self) -> None:
        """Open the ledger and let the projections follow it."""
        self.ledger = Ledger(self.proxy.dsn, clock=self.clock)
        await self.ledger.open()
        self.runner = Runner(self.ledger.database, self.ledger.sequencer)
        await self.runner.start()
        self.client = Asker(self.ledger, self.journal)

    async def stop(self) -> None:
        """Close the ledger; what waits is answered before."""
        await self.runner.stop()
        await self.ledger.close()

    async def rival(self) -> Asker:
        """Return a client of a second ledger on the same database."""
        if self._rival is None:
            self._rival = Ledger(self.dsn, clock=self.clock)
            await self._rival.open()
        return Asker(self._rival, self.journal)

    async def close(self) -> None:
        """Leave nothing behind."""
        if self._rival is not None:
            await self._rival.close()
        await self.stop()
        await self.proxy.__aexit__()
        shutil.rmtree(self.folder)
        await self.ground.execute(f"DROP DATABASE {self.dsn.split('/')[3].split('?')[0]} (FORCE)")

    def deal(self, cards: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
        """Deal cards; the clock shows the deck's day."""
        documents = [self.deck.deal(name, seed) for name, seed in cards]
        self.clock.show(self.deck.day)
        return [self.note(document) for document in documents]

    def deal_rule(self, kind: str, seed: int) -> dict[str, Any]:
        """Deal a change of the rulebook."""
        return self.note(self.deck.rule(kind, seed))

    def nowhere(self) -> dict[str, Any]:
        """Deal a command on a budget that nobody opened."""
        [document] = self.deal([("CreditReceipt", 0)])
        return {**document, "budget": "KZ-2025-nowhere"}

    def note(self, document: dict[str, Any]) -> dict[str, Any]:
        """Remember a command that is about to be asked."""
        self.documents.setdefault(document["command_id"], []).append(document)
        return document

    def earlier(self, pick: int) -> dict[str, Any] | None:
        """Return an earlier command that is stored, None where there is none yet."""
        stored = [documents[0] for command_id, documents in self.documents.items()
                  if command_id in self.oracle.answers]  # fmt: skip
        return stored[pick % len(stored)] if stored else None

    async def post(self, documents: Sequence[dict[str, Any]], how: str) -> None:
        """Ask commands "one by one", in a "batch", "at once" or as one "atomic" request."""
        if how == "atomic":
            await self.atomic(documents)
        elif how == "batch":
            await self.client.ask(*documents)
        elif how == "at once":
            await self.client.all_at_once(documents)
        else:
            for document in documents:
                await self.client.ask(document)
        await self.settle()

    async def atomic(self, documents: Sequence[dict[str, Any]]) -> None:
        """Ask all or nothing and compare with what the oracle would say of it."""
        self.client.unstored.clear()
        heard = await self.client.ask(*documents, atomic=True)
        unstored = {id(document): answer for document, answer in self.client.unstored}
        self.client.unstored.clear()
        if any(one.outcome in OPEN for one in heard):
            return
        other, told = deepcopy(self.oracle), {}
        for document in documents:
            answer = unstored.get(id(document))
            moment = getattr(answer, "recorded_at", self.clock.now)
            told[id(document)] = other.post(document, to_iso(moment))
        whole = all(said == "accepted" for said, _ in told.values())
        for document, one in zip(documents, heard, strict=True):
            verdict, answer = told[id(document)], unstored.get(id(document))
            if answer is None:  # stored now or before
                assert whole or one.replayed, (one, told)
            elif isinstance(answer, NotFound):
                assert verdict == ("refused", "unknown"), (one, told)
            else:
                assert not whole, (answer, told)
                code = answer.refusal.code if answer.refusal else None
                assert agree(verdict, code), (answer, verdict)

    async def during(self, documents: Sequence[dict[str, Any]], fault: Awaitable[Any]) -> Any:
        """Ask commands in one moment while a fault happens; return what the fault returns."""
        asked = asyncio.create_task(self.client.all_at_once(documents))
        try:
            return await fault
        finally:
            await asked

    async def settle(self) -> None:
        """Bring everything that was asked to its end and judge it."""
        await self._ask_again()
        rows = await self._catch_up()
        for first in in_order(rows, self.reached):
            self._hear(first, rows)
        self._judge()

    async def _ask_again(self) -> None:
        """Ask what has no answer under its id until it has one."""
        async with asyncio.timeout(WAIT_SECONDS):
            while waiting := self._open():
                for document in waiting:
                    await self.client.ask(document)
                await asyncio.sleep(PAUSE_SECONDS)

    def _open(self) -> list[dict[str, Any]]:
        """Return commands of which nobody has an answer; an id that was refused as reused has."""
        fresh = self.journal[self.judged :]
        done = {one.command_id for one in fresh if one.outcome not in OPEN}
        return [*{one.command_id: one.document for one in fresh
                  if one.command_id not in done}.values()]  # fmt: skip

    async def _catch_up(self) -> list[Row]:
        """Read everything that was stored since the last time, once it has its sequence."""
        found: list[FeedEvent] = []
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                try:
                    wanted = sum(one["position"] for one in await self.ledger.budgets())
                    while self.last + len(found) < wanted:
                        more = await self.ledger.events(self.last + len(found))
                        found += more
                        await asyncio.sleep(0 if more else PAUSE_SECONDS / 10)
                    break
                except (*LOST, Unavailable):  # a fault just ended these sessions
                    await asyncio.sleep(PAUSE_SECONDS)
        self.last += len(found)
        return [_row(one) for one in found]

    async def applied(self) -> None:
        """Wait until every projection has everything."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                try:
                    if await self.runner.sequence() == self.last:
                        return
                except (*LOST, Unavailable):
                    pass
                await asyncio.sleep(PAUSE_SECONDS / 10)

    def _hear(self, first: Row, rows: Sequence[Row]) -> None:
        """Give the oracle a stored command and compare its verdict with the stored one."""
        asked = self.documents[first.command_id]
        document = next(one for one in asked if read_command(one) == first.asked)
        verdict = self.oracle.post(document, first.recorded)
        assert agree(verdict, first.refusal), (document, first.recorded, verdict, first.refusal)
        self.deck.learn(document, verdict[0])
        self.verdicts[document["command"], verdict[0]] += 1
        self._place(first, rows, self.oracle.number)

    def _place(self, first: Row, rows: Sequence[Row], number: int) -> None:
        """Remember at which sequences a command stands, by budget, and its number."""
        mine: dict[str, list[int]] = {}
        for row in rows:
            if row.command_id == first.command_id:
                mine.setdefault(row.code, []).append(row.sequence)
                self.at[row.code, row.position] = row.command_id
        for code, sequences in mine.items():
            self.known.setdefault(code, []).append((min(sequences), max(sequences), number))

    def _judge(self) -> None:
        """Compare what was answered since the last time with what is stored and decided."""
        for one in self.journal[self.judged :]:
            if one.outcome == "reused":
                verdict = self.oracle.post(one.document, to_iso(self.clock.now))
                assert verdict == ("refused", "reused"), one
            elif one.outcome in SETTLED:
                assert self.at[one.document["budget"], one.position] == one.command_id, one
                document, verdict = self.oracle.answers[one.command_id]
                assert document == one.document, (document, one)
                assert agree(verdict, one.code), (verdict, one)
        self.judged = len(self.journal)
        for document, answer in self.client.unstored:
            moment = getattr(answer, "recorded_at", self.clock.now)
            verdict = self.oracle.post(document, to_iso(moment))
            code = answer.code if isinstance(answer, NotFound) else answer.refusal.code
            # Somebody else's opening of the same budget may stand by now.
            assert agree(verdict, code) or verdict == ("refused", "stage"), (document, verdict)
        self.client.unstored.clear()

    async def law(self) -> Verdict:
        """The law of nothing lost over everything that anybody asked."""
        return await nothing_lost(
            self.dsn, self.journal, retry=Asker(self.ledger, []).ask,
            fired=self.fired.total() or 1,  # a calm example must hold the law, too
            earlier=self.ground.earlier,
        )  # fmt: skip


def _row(event: FeedEvent) -> Row:
    """Read an event of the feed."""
    fact = decode(event.body, event.budget, event.position)
    refusal = getattr(fact, "refusal", None)
    return Row(
        code=event.budget, log=log_id(event.budget), position=event.position,
        sequence=event.sequence, command_id=str(event.command_id), recorded_at=event.recorded_at,
        hash=event.hash, body=event.body, rules_at=fact.rules_at, asked=fact.asked,
        refusal=refusal.code if refusal else None,
    )  # fmt: skip
