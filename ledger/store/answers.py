"""Answers to commands: as given, as remembered for a while, as read back from the log.

A command is decided exactly once under its id: the same id with the same content repeats the
first answer, marked as replayed; with other content, or on another budget, it is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from ledger.decision import Decision
from ledger.errors import LedgerError, Refusal
from ledger.events import Command, Event, decode
from ledger.store.annex import Kept, compare_annex, same_annex
from ledger.store.read import Head
from ledger.store.sql import sql

REMEMBERED = 20_000


class CommandIdReused(LedgerError):
    """The command id was used before for another command; `first_status` tells its outcome."""

    code = "command-id-reused"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of one command.

    `status` is "accepted", "refused" or, in an atomic request that was not written, "withheld";
    `position` is the first of its `events` in the budget's log, None where nothing was stored.
    """

    command_id: UUID
    budget: str
    status: str
    position: int | None
    events: int
    recorded_at: int
    replayed: bool = False
    flags: tuple[str, ...] = ()
    refusal: Refusal | None = None

    def unstored(self, status: str) -> Answer:
        """Return the answer of a request that was not written."""
        return replace(self, status=status, position=None, events=0)


def answer_of(decision: Decision) -> Answer:
    """Return the answer of a decision that is about to be written."""
    own = [fact for fact in decision.events if fact.originator_id == decision.command.budget]
    return _answer(own[0], len(own), decision.command.budget, decision.refusal)


def _answer(first: Event, events: int, budget: str, refusal: Refusal | None) -> Answer:
    """Build an answer from the first event of a command."""
    return Answer(
        command_id=first.command_id, budget=budget, events=events, flags=first.flags,
        status="refused" if refusal else "accepted", position=first.originator_version,
        recorded_at=first.recorded_at, refusal=refusal,
    )  # fmt: skip


def compare(
    earlier: Command | None, answer: Answer, asked: Command, kept: Kept | None = None
) -> Answer | LedgerError:
    """Repeat an answer if the command is the same, else say that its id was used before."""
    if earlier == asked and same_annex(earlier, asked, kept):
        return replace(answer, replayed=True)
    return CommandIdReused(
        "the command id was used for another command", command_id=str(asked.command_id),
        budget=answer.budget, position=answer.position, first_status=answer.status,
    )  # fmt: skip


class Recent:
    """The newest answers of this process, by command id."""

    def __init__(self) -> None:
        """Start empty."""
        self._answers: OrderedDict[UUID, tuple[Command, Answer]] = OrderedDict()

    def remember(self, asked: Command, answer: Answer) -> None:
        """Keep a stored answer for a while."""
        if asked.annex is not None:
            return  # personal values are kept in one place, where they can be erased
        self._answers[asked.command_id] = (asked, answer)
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)

    def answer(self, asked: Command) -> Answer | LedgerError | None:
        """Return the answer to a repeat, or None for a new id."""
        found = self._answers.get(asked.command_id)
        return compare(*found, asked) if found else None


async def stored_answers(
    connection: Any,
    commands: Sequence[Command],
    regions: Mapping[str, int],
    sent: Mapping[tuple[int, int], bytes],
) -> list[Answer | LedgerError | None]:
    """Look commands up in the log; None for those that are not stored.

    What this appender sent itself (`sent`: hash by log and position) is a first answer, all else
    a replay.
    """
    ids: dict[int, list[UUID]] = {}
    for asked in commands:
        if asked.budget in regions:
            ids.setdefault(regions[asked.budget], []).append(asked.command_id)
    rows: dict[tuple[int, UUID], list[Any]] = {}
    for region, wanted in ids.items():
        for row in await connection.fetch(sql("queries/find_commands"), region, wanted):
            rows.setdefault((region, row["command_id"]), []).append(row)
    kept = {
        region: await compare_annex(
            connection, region, [c for c in commands if regions.get(c.budget) == region]
        )
        for region in ids
    }
    found: list[Answer | LedgerError | None] = []
    for asked in commands:
        region = regions.get(asked.budget, -1)
        hits = rows.get((region, asked.command_id), [])
        values = kept.get(region, {}).get(asked.command_id, {})
        found.append(_match(asked, hits, sent, values) if hits else None)
    return found


def _match(
    asked: Command, rows: Sequence[Any], sent: Mapping[tuple[int, int], bytes], kept: Kept
) -> Answer | LedgerError:
    """Compare a command with the rows stored under its id."""
    own = next((row for row in rows if row["code"] == asked.budget), rows[0])
    fact = decode(own["body"], own["code"], own["position"])
    answer = _answer(fact, own["events"], own["code"], getattr(fact, "refusal", None))
    if own["code"] == asked.budget and sent.get((own["log"], own["position"])) == own["hash"]:
        return answer
    return compare(fact.asked, answer, asked, kept)


async def find_answer(connection: Any, head: Head, command_id: UUID) -> Answer | None:
    """Return the stored answer to a command of one budget, or None."""
    rows = await connection.fetch(sql("queries/find_commands"), head.region, [command_id])
    for row in rows:
        if row["code"] == head.code:
            fact = decode(row["body"], head.code, row["position"])
            refusal = getattr(fact, "refusal", None)
            return replace(_answer(fact, row["events"], head.code, refusal), replayed=True)
    return None
