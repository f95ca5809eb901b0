"""A table of transfers as one budget's act fixes them: what the act says, no money moves."""

from __future__ import annotations

from typing import Any

from api.load.approval import read_figures
from api.load.commands import Prepared, Reading, envelope, money
from api.load.mapping import CheckedSum, Mapping, Transfers
from api.load.outcome import ControlTotal
from api.load.rows import BadValue, Row, Table

KINDS = ("subvention", "withdrawal", "targeted")


def read(mapping: Mapping, shape: Transfers, table: Table, check: Table | None) -> Reading:
    """Return a SetTransfer a row; a bad row fails alone."""
    columns = [shape.transfer, shape.payer, shape.receiver, shape.amount]
    reading = Reading(bad=[*table.problems, *table.missing(columns)])
    if reading.bad:
        return reading
    sums: dict[str, int] = {}
    for row in table.rows:
        try:
            prepared = _transfer(mapping, shape, row)
            kind = prepared.document["transfer"]
            sums[kind] = sums.get(kind, 0) + row.amount(shape.amount)
        except BadValue as problem:
            reading.bad.append(row.bad(problem))
        else:
            reading.commands.append(prepared)
    if shape.check and check:
        reading.controls = _compare(mapping, shape.check, check, sums, reading)
    return reading


def _transfer(mapping: Mapping, shape: Transfers, row: Row) -> Prepared:
    """Return what the act says of one transfer, from the side of the act's own budget."""
    document: dict[str, Any] = envelope(mapping, shape, row, "SetTransfer")
    kind = row.filled(shape.transfer)
    if kind not in KINDS:
        raise BadValue(shape.transfer.strip("{}"), f"{kind!r} is none of {', '.join(KINDS)}")
    payer, receiver = _budget(mapping, shape, row, shape.payer), _budget(
        mapping, shape, row, shape.receiver)  # fmt: skip
    own = document["budget"]
    if own not in (payer, receiver) or payer == receiver:
        raise BadValue(shape.payer.strip("{}"), f"neither side alone is {own}, whose act it is")
    minor = row.amount(shape.amount)
    if minor < 0:
        raise BadValue(shape.amount.strip("{}"), "a transfer is not negative")
    document |= {
        "effective_from": row.day(shape.effective_from),
        "transfer": kind,
        "peer": receiver if payer == own else payer,
        "side": "pays" if payer == own else "receives",
        "amount": money(mapping, minor),
    }
    if shape.purpose:
        document["purpose"] = row.filled(shape.purpose)
    natural = (mapping.name, shape.name, own, document["act"]["id"], kind, document["side"],
               document["peer"], document.get("purpose", ""))  # fmt: skip
    return Prepared(natural=natural, document=document, place=row.place)


def _budget(mapping: Mapping, shape: Transfers, row: Row, template: str) -> str:
    """Return the code of the budget that a table names."""
    name = row.filled(template)
    if name in shape.names:
        return shape.names[name]
    for budget in mapping.budgets:
        if name in budget.names:
            return row.filled(budget.code)
    raise BadValue(template.strip("{}"), f"no budget is declared under the name {name!r}")


def _compare(
    mapping: Mapping, declared: CheckedSum, table: Table, sums: dict[str, int], reading: Reading
) -> list[ControlTotal]:
    """Compare the sum of each kind with the figure that the act prints."""
    values = read_figures(table, declared.item, declared.amount, reading.bad)
    return [
        ControlTotal(name=item, file=table.file,
                     published=money(mapping, values[item]) if item in values else "missing",
                     found=money(mapping, sums.get(kind, 0)))
        for kind, item in declared.sums.items()
    ]  # fmt: skip
