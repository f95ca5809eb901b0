"""The audit trail: who, what, when, by which act, why, with figures before and after.

Law: K25 113 (control), spec A4, A5, I30; answers "history of one line with author, act, reason"
(Q3) for a line, a contract, an account, an actor, an act or a command.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from projections.registry import sql

ROWS_MAX = 1000


@dataclass(frozen=True, kw_only=True)
class Change:
    """One figure of a "line", "contract", "account" or the budget's "cash", in minor units."""

    subject: str
    measure: str
    before_minor: int
    after_minor: int


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """One event of the trail; `recorded_at` in microseconds since 1970 UTC.

    `refused` is the code of a refusal, `flags` the warnings of controls.
    """

    sequence: int
    region: int
    log: int
    position: int
    budget: str
    kind: str
    recorded_at: int
    actor: str | None
    capacity: str | None
    act: str | None
    act_article: str | None
    act_date: date | None
    reason: str | None
    source: str | None
    line: tuple[str, ...] | None
    contract: str | None
    account: str | None
    effective_from: date
    adopted_on: date
    month: date | None
    changes: tuple[Change, ...]
    refused: str | None
    flags: tuple[str, ...]
    command_id: UUID


async def trail(  # noqa: PLR0913 - each condition is a question of its own
    connection: Any, *, budget: str | None = None, line: tuple[str, ...] | None = None,
    contract: str | None = None, account: str | None = None, actor: str | None = None,
    act: str | None = None, kind: str | None = None, command_id: UUID | None = None,
    after_sequence: int = 0, limit: int = 100,
) -> list[AuditRow]:  # fmt: skip
    """Return rows after a sequence that meet every condition given; `line` is a path's prefix."""
    rows = await connection.fetch(
        sql("audit_trail", "trail"), after_sequence, budget, list(line) if line else None,
        contract, account, actor, act, kind, command_id, min(limit, ROWS_MAX),
    )  # fmt: skip
    return [_read(row) for row in rows]


def _read(row: Any) -> AuditRow:
    """Read a stored row."""
    changes = tuple(
        Change(subject=subject, measure=measure, before_minor=before, after_minor=after)
        for subject, measures in orjson.loads(row["changes"]).items()
        for measure, (before, after) in measures.items()
    )
    line = tuple(row["line"]) if row["line"] is not None else None
    return AuditRow(**{**dict(row), "changes": changes, "line": line,
                       "flags": tuple(row["flags"])})  # fmt: skip
