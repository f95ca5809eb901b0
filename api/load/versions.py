"""A table of redactions: the first row approves the budget, each later row amends it."""

from __future__ import annotations

from typing import Any

from api.load.commands import Prepared, Reading, envelope, money
from api.load.mapping import Mapping, Versions, VersionTransfer
from api.load.rows import BadValue, Row, Table


def read(mapping: Mapping, shape: Versions, table: Table) -> Reading:
    """Return a document a row, and what its act says about transfers; a bad row fails alone."""
    reading = Reading(bad=[*table.problems, *table.missing(_columns(shape))])
    if reading.bad:
        return reading
    for number, row in enumerate(table.rows):
        try:
            name = "AmendBudget" if number else "ApproveBudget"
            commands = [_document(mapping, shape, row, name)]
            commands += [_transfer(mapping, shape, row, declared) for declared in shape.transfers]
        except BadValue as problem:
            reading.bad.append(row.bad(problem))
        else:
            reading.commands += commands
    return reading


def _columns(shape: Versions) -> list[str]:
    """Return every template that the rows must fill."""
    found = [shape.version, shape.effective_from, shape.act.id, shape.act.date]
    found += [line.amount for line in (*shape.lines, *shape.totals)]
    found += [transfer.amount for transfer in shape.transfers]
    return [*found, shape.balance] if shape.balance else found


def _document(mapping: Mapping, shape: Versions, row: Row, name: str) -> Prepared:
    """Return the approval or amendment of one row, with every line it gives."""
    document: dict[str, Any] = envelope(mapping, shape, row, name)
    document["effective_from"] = row.day(shape.effective_from)
    document["lines"] = [
        {"line": line.line, "amount": money(mapping, row.amount(line.amount)),
         **({"title": line.title} if line.title else {})}
        for line in shape.lines
    ]  # fmt: skip
    if shape.totals:
        document["totals"] = [{"line": total.line, "amount": money(mapping, row.amount(
            total.amount))} for total in shape.totals]  # fmt: skip
    if shape.balance:
        document["balance"] = money(mapping, row.amount(shape.balance))
    return Prepared(natural=_natural(mapping, shape, row, document), document=document,
                    place=row.place)  # fmt: skip


def _transfer(mapping: Mapping, shape: Versions, row: Row, declared: VersionTransfer) -> Prepared:
    """Return what the row's act says about one transfer."""
    document: dict[str, Any] = envelope(mapping, shape, row, "SetTransfer")
    document["effective_from"] = row.day(shape.effective_from)
    peer = row.filled(declared.peer)
    document |= {"transfer": declared.transfer, "side": declared.side, "peer": peer,
                 "amount": money(mapping, row.amount(declared.amount))}  # fmt: skip
    if declared.purpose:
        document["purpose"] = row.filled(declared.purpose)
    natural = (*_natural(mapping, shape, row, document), declared.transfer, declared.side, peer,
               document.get("purpose", ""))  # fmt: skip
    return Prepared(natural=natural, document=document, place=row.place)


def _natural(
    mapping: Mapping, shape: Versions, row: Row, document: dict[str, Any]
) -> tuple[str, ...]:
    """Return the natural id of a redaction: its version and act."""
    return (mapping.name, shape.name, document["budget"], row.filled(shape.version),
            document["act"]["id"], document["command"])  # fmt: skip
