"""Command documents: ids that are the same at every load, and the fields all commands share.

An id is made of what a row is (mapping, document, file and line, or the act), never of what it
says: a row that changed under its old id is refused by the ledger instead of paid twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping as Values
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from api.load.mapping import Budget, DeclaredSource, Mapping, Opening, Shape
from api.load.outcome import ControlTotal
from api.load.rows import BadRow, BadValue, Row
from ledger import instruments  # noqa: F401 - fills the registry of commands
from ledger.errors import Invalid
from ledger.events import read_command
from ledger.money import to_text

NAMESPACE = uuid5(NAMESPACE_URL, "qazyna:load")
"""Namespace of all command ids that the loader makes."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A command without its id, the natural id it will get, and the place it came from.

    A document of many rows keeps the row number of each line's path and the columns of its codes.
    """

    natural: tuple[str, ...]
    document: dict[str, Any]
    place: str
    rows: Values[tuple[str, ...], int] = field(default_factory=dict)
    columns: Sequence[str] = ()

    def attempt(self, number: int = 0) -> dict[str, Any]:
        """Return the command document; a later attempt of a refused one has another id."""
        return {**self.document, "command_id": command_id(*self.natural, attempt=number)}

    def place_of(self, answer: Values[str, Any]) -> str:
        """Return where an answer points: the row and column of a refused line, if it names one."""
        said = ((answer.get("refusal") or {}).get("figures") or {}).get("line")
        for path, number in self.rows.items() if said else ():
            for depth in range(1, len(path) + 1):
                if " / ".join(path[:depth]) == said:
                    return f"{self.place}:{number}:{self.columns[depth - 1]}"
        return self.place


@dataclass(kw_only=True)
class Reading:
    """What the files of one document shape gave."""

    commands: list[Prepared] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    controls: list[ControlTotal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def command_id(*natural: str, attempt: int = 0) -> str:
    """Return the UUID of a natural id; attempts above 0 are part of it."""
    parts = [*natural, f"attempt {attempt}"] if attempt else list(natural)
    return str(uuid5(NAMESPACE, json.dumps(parts, ensure_ascii=False)))


def unreadable(mapping: Mapping, prepared: Prepared) -> BadRow | None:
    """Return why the ledger could not even read a command: a text too long, a control character."""
    try:
        read_command(prepared.attempt(), digits=mapping.decimals)
    except Invalid as error:
        first = error.details["errors"][0]
        file, _, line = prepared.place.rpartition(":")
        found = (file, int(line)) if line.isdecimal() else (prepared.place, 0)
        return BadRow(*found, first["place"], first["reason"])
    return None


def money(mapping: Mapping, minor: int) -> str:
    """Write minor units as the wire's decimal string."""
    return to_text(minor, mapping.decimals)


def envelope(mapping: Mapping, shape: Shape, row: Row, name: str) -> dict[str, Any]:
    """Return the fields that every command of a shape has, filled from a row."""
    act: dict[str, Any] = {"id": row.filled(shape.act.id), "date": row.day(shape.act.date)}
    if shape.act.article:
        act["article"] = row.filled(shape.act.article)
    document: dict[str, Any] = {
        "command": name,
        "budget": row.filled(shape.budget),
        "actor": {"id": row.filled(shape.actor.id), "capacity": row.filled(shape.actor.capacity)},
        "act": act,
        "source": source(shape.source or mapping.source, row, row.place),
    }
    if shape.adopted_on:
        document["adopted_on"] = row.day(shape.adopted_on)
    if shape.reason:
        document["reason"] = row.filled(shape.reason)
    return document


def source(
    declared: DeclaredSource, row: Row, place: str | None, inferred: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the declaration of imported history."""
    found: dict[str, Any] = {
        "name": row.filled(declared.name), "recorded_on": row.day(declared.recorded_on),
    }  # fmt: skip
    if place:
        found["place"] = place
    names = list(dict.fromkeys([*declared.inferred, *inferred]))
    return {**found, "inferred": names} if names else found


def path_of(row: Row, templates: Sequence[str], *, prefix: bool = False) -> list[str]:
    """Return a line's path; every step must be there, of a `prefix` only the first ones."""
    steps = [row.text(template) for template in templates]
    if prefix:
        while steps and not steps[-1]:
            steps.pop()
    for step, template in zip(steps, templates, strict=False):
        if not step:
            raise BadValue(template.strip("{}"), "the value is empty")
    return steps


def openings(mapping: Mapping, prepared: Sequence[Prepared], parts: Values[str, str]
             ) -> list[Prepared]:  # fmt: skip
    """Return an OpenBudget for every declared budget that the commands name, parents first."""
    named = {code for command in prepared for code in _budgets(command.document)}
    found = []
    for budget in sorted(mapping.budgets, key=lambda b: (b.level, b.region, b.code)):
        row = Row(file="", line=0, values=parts)
        try:
            code = row.filled(budget.code)
        except BadValue:
            continue  # a budget of a year that these files do not name
        if code in named:
            found.append(_opening(mapping.opening, budget, row, code))
    return found


def _opening(opening: Opening, budget: Budget, row: Row, code: str) -> Prepared:
    """Return one OpenBudget; nothing of it depends on the mapping's name or files."""
    document = {
        "command": "OpenBudget",
        "budget": code,
        "actor": {"id": row.filled(opening.actor.id), "capacity": opening.actor.capacity},
        "act": {"id": row.filled(opening.act.id), "date": row.day(opening.act.date)},
        "source": source(opening.source, row, None),
        "region": budget.region,
        "level": budget.level,
        "year": int(row.filled(budget.year)),
        "title": row.filled(budget.title),
    }
    if budget.parent:
        document["parent"] = row.filled(budget.parent)
    return Prepared(natural=("OpenBudget", code), document=document, place=code)


def _budgets(document: dict[str, Any]) -> list[str]:
    """Return the codes of the budgets that a command names."""
    return [document[key] for key in ("budget", "peer") if key in document]
