"""A table of payments: every row a command of its own, known by its file and line number.

Equal rows are money too: nothing is taken for a duplicate (transaction numbers recur).
"""

from __future__ import annotations

from typing import Any

from api.load.commands import Prepared, Reading, envelope, money, path_of
from api.load.mapping import Mapping, Payments
from api.load.rows import BadValue, Row, Table


def read(mapping: Mapping, shape: Payments, table: Table) -> Reading:
    """Return an ExecutePayment a row; a bad row fails alone."""
    columns = [*shape.line, shape.amount, shape.value_date, shape.act.id, shape.act.date]
    reading = Reading(bad=[*table.problems])
    missing = table.missing(columns)
    if missing:
        reading.bad += missing
        return reading
    for row in table.rows:
        try:
            reading.commands.append(_payment(mapping, shape, row))
        except BadValue as problem:
            reading.bad.append(row.bad(problem))
    return reading


def _payment(mapping: Mapping, shape: Payments, row: Row) -> Prepared:
    """Return one payment."""
    minor = row.amount(shape.amount)
    if minor <= 0:
        raise BadValue(shape.amount.strip("{}"), "a payment is above zero")
    document: dict[str, Any] = envelope(mapping, shape, row, "ExecutePayment")
    document["line"] = path_of(row, shape.line)
    document["amount"] = money(mapping, minor)
    document["value_date"] = row.day(shape.value_date)
    if shape.payee:
        document["payee"] = row.filled(shape.payee)
    natural = (mapping.name, shape.name, document["budget"], row.file, str(row.line))
    return Prepared(natural=natural, document=document, place=row.place)
