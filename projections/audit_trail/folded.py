"""The same trail from events in memory: what an auditor makes again, with no database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from ledger.events import MEASURES, Event, typed_state
from projections.audit_trail import AuditRow, Change
from projections.audit_trail.fold import COLUMNS, Subject, carry, record


def trail_of(
    events: Iterable[tuple[int, str, Event, bytes]], headers: Mapping[UUID, bytes]
) -> Iterator[AuditRow]:
    """Yield the rows of budgets from their (sequence, code, event, body) from the first on.

    `headers` are the first events of commands that may have been sent to other budgets.
    """
    totals: dict[tuple[Subject, str], int] = {}
    commands: dict[UUID, dict[str, Any]] = {}
    logs: dict[str, int] = {}
    for sequence, budget, event, body in events:
        _, state = typed_state(body)
        command = event.command_id
        if "command" in state:
            commands[command] = state["command"]
        elif command not in commands and command in headers:
            commands[command] = typed_state(headers[command])[1].get("command", {})
        row = _columns(sequence, event, budget, logs.setdefault(budget, len(logs)))
        changes = carry(row, totals, {})
        written = record(row, state, commands.get(command, {}), {})
        yield _row(dict(zip(COLUMNS, written, strict=True)), changes)


def _columns(sequence: int, event: Event, budget: str, log: int) -> dict[str, Any]:
    """Return what the typed columns of an event say, by its movement; a line is its path."""
    move = event.movement()
    return {
        "sequence": sequence, "region": 0, "log": log, "code": budget,
        "position": event.originator_version, "kind": event.kind,
        "command_id": event.command_id, "recorded_at": event.recorded_at,
        "effective_from": move.effective_from, "adopted_on": move.adopted_on,
        "month": move.month, "line": move.line, "path": move.line and list(move.line),
        "contract": move.contract, "account": move.account,
        **{measure: move.amounts.get(measure) for measure in MEASURES},
    }  # fmt: skip


def _row(values: dict[str, Any], changes: Mapping[str, Mapping[str, list[int]]]) -> AuditRow:
    """Return a row as it is read from the table, where JSON has shorter names first."""
    line = values["line"]
    return AuditRow(**{
        **values, "line": None if line is None else tuple(line), "flags": tuple(values["flags"]),
        "changes": tuple(
            Change(subject=subject, measure=measure, before_minor=before, after_minor=after)
            for subject in sorted(changes, key=_place)
            for measure in sorted(changes[subject], key=_place)
            for before, after in [changes[subject][measure]]
        ),
    })  # fmt: skip


def _place(name: str) -> tuple[int, str]:
    """Return where a name stands among the keys of a jsonb object."""
    return len(name), name
