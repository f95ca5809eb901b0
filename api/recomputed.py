"""Reports from events alone: what `qazyna verify` and `qazyna audit` compare with what was served.

The same compositions and documents as the service's, over events in memory instead of tables; no
database, no network. A report that this table does not name has no bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Any

import orjson

from api import reports
from ledger.cells import BUDGET, EXEMPT, NOTHING, Cell, Key
from ledger.errors import LedgerError
from ledger.events import RULEBOOK, Event, decode
from ledger.proofs.verify import Json, Logs, ProofError, reading, require
from ledger.rules import Rules
from ledger.store.read import fold_rule
from projections.audit_trail.folded import trail_of
from projections.budget_execution import BudgetLine, Warned, exemption, folded
from projections.budget_execution.figures import ExecutionReport
from projections.budget_execution.report import compose as compose_execution
from projections.special_accounts import AccountMovement
from projections.special_accounts import compose as statement
from projections.transfers import compose as pairing
from projections.transfers.fold import COLUMNS, HANDLED, fact


@dataclass(frozen=True)
class Fact:
    """An event with its place in the ledger and its stored bytes."""

    sequence: int
    event: Event
    body: bytes


@dataclass(frozen=True)
class Case:
    """A report to be made: the question, where it ends, what a served one says, rules, events.

    The rulebook is one of the logs.
    """

    question: Mapping[str, Any]
    sequence: int
    served: Mapping[str, Any]
    rules: Rules
    logs: Mapping[str, Sequence[Fact]]

    @property
    def budget(self) -> str:
        """The report's own budget."""
        code: str = self.question["budget"]
        return code

    @property
    def own(self) -> Sequence[Fact]:
        """The events of the report's own budget."""
        return self.logs[self.budget]

    @property
    def digits(self) -> int:
        """Decimals of the currency."""
        return self.rules.jurisdiction.minor_digits

    def day(self, name: str) -> date | None:
        """Return a day that the served report names."""
        text = self.served.get(name)
        return date.fromisoformat(text) if text else None


def read_facts(log: str, events: Iterable[tuple[int, bytes]]) -> list[Fact]:
    """Read a log's (index in the tree, body) from its beginning. Raises `Corrupt`."""
    return [
        Fact(at + 1, decode(body, log, position), body)
        for position, (at, body) in enumerate(events, 1)
    ]


def _execution(case: Case) -> dict[str, Any]:
    """Return the execution report."""
    effective, adopted = case.day("effective") or date.min, case.day("adopted")
    found = folded.select(
        ((one.event, one.body) for one in case.own), case.served["sequence"], effective, adopted
    )
    asked = case.question
    return reports.execution(compose_execution(
        found, case.rules, budget=case.served["budget"], effective=effective, adopted=adopted,
        known=case.served["known"], prefix=tuple(asked.get("prefix") or ()),
        level=asked.get("level"), by=asked.get("by"),
    ))  # fmt: skip


def _account(case: Case) -> dict[str, Any]:
    """Return the statement of a special account."""
    name, balance, opened = case.question["account"], 0, {}
    movements = []
    for one in case.own:
        move = one.event.movement()
        if move.account != name:
            continue
        if one.event.kind == "budget.special_account.opened":
            opened = vars(one.event.asked)
        amount = move.amounts.get("cash", 0)
        balance += amount
        movements.append(AccountMovement(
            sequence=one.sequence, position=one.event.originator_version, kind=one.event.kind,
            value_date=move.effective_from, recorded_at=one.event.recorded_at,
            amount_minor=amount, balance_minor=balance, command_id=one.event.command_id,
        ))  # fmt: skip
    found = statement(case.served["budget"], name, case.served["sequence"], opened, movements)
    return reports.account(found, case.digits)


def _warnings(case: Case) -> dict[str, Any]:
    """Return a page of flagged events."""
    after, limit = case.question.get("after") or 0, case.question.get("limit") or 100
    found = []
    for one in case.own:
        if one.event.flags and one.sequence > after:
            move = one.event.movement()
            found.append(Warned(
                sequence=one.sequence, position=one.event.originator_version, kind=one.event.kind,
                line=move.line, contract=move.contract, effective_from=move.effective_from,
                adopted_on=move.adopted_on, flags=one.event.flags,
            ))  # fmt: skip
    following = found[limit - 1].sequence if len(found) > limit else None
    return reports.warnings(
        case.served["budget"], case.served["sequence"], found[:limit], following
    )


def _transfers(case: Case) -> dict[str, Any]:
    """Return the pairing of a budget's transfers, from both sides' logs."""
    adopted, rows = case.day("adopted"), []
    for log, events in case.logs.items():
        for one in events:
            if one.event.kind not in HANDLED:
                continue
            move = one.event.movement()
            values = fact({
                "region": 0, "log": 0, "sequence": one.sequence, "kind": one.event.kind,
                "body": one.body, "code": log, "effective_from": move.effective_from,
                "adopted_on": move.adopted_on,
            })  # fmt: skip
            row = dict(zip(COLUMNS, values, strict=True))
            if case.served["budget"] in (row["payer"], row["receiver"]) and (
                adopted is None or move.adopted_on <= adopted
            ):
                rows.append(row)
    rows.sort(key=lambda row: row["sequence"])
    found = pairing(case.served["budget"], case.served["sequence"], rows)
    return reports.transfers(found, adopted, case.served["known"], case.digits)


def _year(case: Case) -> ExecutionReport:
    """Return the whole year's figures, each line apart."""
    year = int(vars(case.own[0].event.asked)["year"])
    on = case.rules.jurisdiction.fiscal_year(year).end
    found = folded.select(((one.event, one.body) for one in case.own), case.sequence, on, None)
    return compose_execution(found, case.rules, budget=case.budget, effective=on, adopted=None,
                             known=None, prefix=(), level=None, by=None)  # fmt: skip


def _exempt(case: Case) -> dict[str, Any]:
    """Return the exempt and cuttable amounts."""
    cells: dict[Key, Cell | None] = {key: Cell(key=key) for key in (BUDGET, EXEMPT)}
    for one in case.own:
        for key, facts in one.event.facts():
            if (cell := cells.get(key)) is not None:
                cells[key] = cell.know(facts)
    on = date.fromisoformat(case.question["effective"])
    return reports.exempt(exemption.compose(_year(case), case.rules, cells, on), case.digits)


def _lines(case: Case) -> dict[str, Any]:
    """Return a page of the lines that the budget has used, in the order of their first use."""
    after, limit = case.question["after"], case.question["limit"]
    prefix = tuple(case.question["prefix"])
    used = dict.fromkeys(
        line for one in case.own if (line := one.event.movement().line) is not None
    )
    titles = {row.line: row.title for row in _year(case).rows}
    found = [
        BudgetLine(number=number, line=line, title=titles.get(line))
        for number, line in enumerate(used, 1)
        if number > after and line[: len(prefix)] == prefix
    ]
    following = found[limit - 1].number if len(found) > limit else None
    return reports.lines(case.budget, found[:limit], following)


def _audit(case: Case) -> dict[str, Any]:
    """Return a page of the trail, of one budget or of all; a payer's log has its orders' acts."""
    asked = case.question
    facts = sorted(
        ((one.sequence, log, one.event, one.body) for log, events in case.logs.items()
         if asked["budget"] in (None, log) for one in events if one.sequence <= case.sequence),
        key=itemgetter(0),
    )  # fmt: skip
    if asked["budget"] is None and len(facts) != case.sequence:
        raise ProofError("omitted", f"{len(facts)} of {case.sequence} events are shown")
    rows = trail_of(facts, {
        one.event.command_id: one.body for events in case.logs.values() for one in events
        if hasattr(one.event, "command")
    })  # fmt: skip
    wanted = {name: asked[name] for name in ("contract", "account", "actor", "act", "kind")
              if asked.get(name) is not None}  # fmt: skip
    line, limit = tuple(asked["line"]), asked["limit"]
    found = [
        row for row in rows
        if row.sequence > asked["after"]
        and (not line or (row.line or ())[: len(line)] == line)
        and all(getattr(row, name) == value for name, value in wanted.items())
    ]  # fmt: skip
    following = found[limit - 1].sequence if len(found) > limit else None
    return reports.trail(case.sequence, found[:limit], following, case.digits)


REPORTS: Mapping[str, Callable[[Case], dict[str, Any]]] = {
    "execution": _execution, "account": _account, "warnings": _warnings, "transfers": _transfers,
    "exempt": _exempt, "lines": _lines, "audit": _audit,
}  # fmt: skip
"""The reports that have a bundle, and how each is made again."""


def recompute(manifest: Json, report: bytes, logs: Logs) -> bytes:
    """Return the bytes that the service would have served for a proven bundle, or raise.

    `manifest` is its `bundle.json`. Raises `ProofError` where they cannot be made.
    """
    with reading("the report cannot be made again", "report"):
        name = manifest["report"]
        require(name in REPORTS, "report", f"a report {name!r} is not known to this release")
        served = orjson.loads(report)
        try:
            return compose(name, manifest["question"], manifest["sequence"], logs, served)
        except LedgerError as error:
            raise ValueError(error.message) from error


def compose(
    name: str, question: Mapping[str, Any], sequence: int,
    logs: Mapping[str, Iterable[tuple[int, bytes]]], served: Mapping[str, Any] = NOTHING,
) -> bytes:  # fmt: skip
    """Return a report of (index in the tree, body) by log, the rulebook's among them."""
    facts = {log: read_facts(log, events) for log, events in logs.items()}
    rules = Rules()
    for one in facts[RULEBOOK]:
        rules = fold_rule(rules, one.event)
    return orjson.dumps(REPORTS[name](Case(question, sequence, served, rules, facts)))
