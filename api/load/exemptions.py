"""A table of programmes that may not be sequestered becomes one dated list."""

from __future__ import annotations

from typing import Any

from api.load.commands import Prepared, Reading, envelope, path_of
from api.load.mapping import Exemptions, Mapping
from api.load.rows import BadValue, Row, Table


def read(mapping: Mapping, shape: Exemptions, table: Table) -> Reading:
    """Return SetExemptList with every row's line, name and sector; a bad row refuses it whole."""
    columns = [*(shape.line or ()), shape.title, *([shape.sector] if shape.sector else [])]
    reading = Reading(bad=[*table.problems, *table.missing(columns)])
    entries = []
    for row in table.rows if not reading.bad else ():
        try:
            entries.append(_entry(shape, row))
        except BadValue as problem:
            reading.bad.append(row.bad(problem))
    if reading.bad:
        return reading
    head = table.head()
    try:
        document: dict[str, Any] = envelope(mapping, shape, head, "SetExemptList")
        document["effective_from"] = head.day(shape.effective_from)
        if shape.effective_until:
            document["effective_until"] = head.day(shape.effective_until)
    except BadValue as problem:
        reading.bad.append(head.bad(problem))
        return reading
    document["source"]["place"] = table.file
    document["entries"] = entries
    if shape.levels:
        document["levels"] = shape.levels
    natural = (mapping.name, shape.name, document["budget"], document["act"]["id"])
    reading.commands.append(Prepared(natural=natural, document=document, place=table.file))
    return reading


def _entry(shape: Exemptions, row: Row) -> dict[str, Any]:
    """Return one entry: by line, by name, or both."""
    entry: dict[str, Any] = {"name": row.title(shape.title)}
    if shape.line:
        entry["line"] = path_of(row, shape.line)
    if shape.sector:
        entry["sector"] = row.title(shape.sector)
    return entry
