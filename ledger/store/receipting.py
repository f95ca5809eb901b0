"""Receipts for answers, made only when somebody asks and beside the append, never in its way.

What is asked for while others are being made is one batch: one look-up, one tree, one signature a
key. Facts are read back from the log, so a receipt says what is stored and committed, and the
same command gets an equal answer in its receipt after a crash, from another process, years later.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from ledger.errors import Corrupt
from ledger.proofs.notes import Signer
from ledger.proofs.receipts import KEY_SUFFIX, VERSION, encode_answer, sign_batch
from ledger.proofs.verify import Key
from ledger.store.answers import Answer
from ledger.store.keys import Keys, Refused
from ledger.store.pool import Database
from ledger.store.sql import sql

BATCH = 2048
"""Most answers under one signature."""
NAMED_SECONDS, TRIES = 10.0, 100


class Receipting:
    """Signs answers with its own keys; `log_keys` tell the log's origin when the first is made."""

    def __init__(
        self, database: Database, clock: Callable[[], int], keys: Keys, log_keys: Keys
    ) -> None:
        """Take the clock in microseconds; the key file is made at the first receipt."""
        self.database = database
        self.clock = clock
        self.keys = keys
        self.log_keys = log_keys
        self._waiting: deque[tuple[Sequence[Answer], asyncio.Future[list[bytes]]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def public(self) -> list[Key]:
        """Return the keys that verify receipts, oldest first. Raises `Refused`."""
        await self._named()
        return await asyncio.to_thread(self._public)

    def _public(self) -> list[Key]:
        """Read the keys, made where there are none yet."""
        self._create()
        return self.keys.public()

    async def _named(self) -> None:
        """Wait a while for the notary of a new ledger: its first key gives the log its name."""
        until = asyncio.get_running_loop().time() + NAMED_SECONDS
        while not (self.keys.exist() or self.log_keys.exist()):
            if asyncio.get_running_loop().time() > until:
                return
            await asyncio.sleep(0.02)

    async def issue(self, answers: Sequence[Answer]) -> list[bytes]:
        """Return a receipt for each answer. Raises `Refused` without keys."""
        if not answers:
            return []
        done: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        self._waiting.append((answers, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="receipts")
        return await done

    async def _run(self) -> None:
        """Make receipts until nobody waits."""
        while self._waiting:
            taken = [self._waiting.popleft()]
            count = len(taken[0][0])
            while self._waiting and count + len(self._waiting[0][0]) <= BATCH:
                taken.append(self._waiting.popleft())
                count += len(taken[-1][0])
            try:
                papers = await self._make([answer for answers, _ in taken for answer in answers])
            except Exception as error:  # noqa: BLE001 - each who waits is told
                for _, done in taken:
                    if not done.done():
                        done.set_exception(error)
                continue
            start = 0
            for answers, done in taken:
                if not done.done():
                    done.set_result(papers[start : start + len(answers)])
                start += len(answers)

    async def _make(self, answers: Sequence[Answer]) -> list[bytes]:
        """Read the events of one batch back, then build the tree and sign beside the event loop."""
        places = [(answer.budget, answer.position) for answer in answers
                  if answer.position is not None]  # fmt: skip
        async with self.database.connect("reader") as connection:
            rows = await connection.fetch(
                sql("queries/answered_events"), *map(list, zip(*places, strict=True))
            ) if places else ()  # fmt: skip
        facts = {(row["code"], row["position"]): row for row in rows}
        await self._named()
        return await asyncio.to_thread(self._sign, answers, facts, self.clock())

    def _sign(
        self, answers: Sequence[Answer], facts: dict[tuple[str, int], Any], moment: int
    ) -> list[bytes]:
        """Return the receipts of one batch. Raises `Refused`, `Corrupt`."""
        signers = self._signers()
        leaves = [encode_answer(self._document(answer, facts)) for answer in answers]
        origin = signers[0].key.name.removesuffix(KEY_SUFFIX)
        return sign_batch(origin, leaves, signers, moment)

    def _signers(self) -> list[Signer]:
        """Return the signing keys, as the file has them now: a rotation needs no restart."""
        self._create()
        return self.keys.signers()

    def _create(self) -> None:
        """Make the key file where there is none, named after the log; one of several processes."""
        tries = 0
        while not self.keys.exist():
            try:
                with self.keys.held():
                    if not self.keys.exist():
                        self.keys.create(self.log_keys.origin + KEY_SUFFIX)
            except Refused as refused:
                tries += 1
                if refused.code != "key-in-use" or tries > TRIES:
                    raise
                time.sleep(0.02)

    @staticmethod
    def _document(answer: Answer, facts: dict[tuple[str, int], Any]) -> dict[str, Any]:
        """Return what a receipt says of an answer (`proofs.receipts.encode_answer`)."""
        event = None
        if answer.position is not None:
            row = facts.get((answer.budget, answer.position))
            if row is None or row["command_id"] != answer.command_id:
                raise Corrupt("the event of an answer is not in its place", budget=answer.budget,
                              position=answer.position)  # fmt: skip
            event = {"body": row["body"].hex(), "chain": row["hash"].hex(), "kind": row["kind"]}
        return {
            "budget": answer.budget, "command_id": str(answer.command_id), "event": event,
            "events": answer.events, "flags": list(answer.flags), "position": answer.position,
            "recorded_at": answer.recorded_at, "status": answer.status, "v": VERSION,
            "refusal": None if answer.refusal is None else asdict(answer.refusal),
        }  # fmt: skip
