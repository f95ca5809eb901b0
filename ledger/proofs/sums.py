"""The sums of a budget's events, read from their bodies alone: does an execution report add up?

Standard library only, and nothing of the ledger's domain: a second reading of the same facts. What
an event adds is the table `ADDS`; which events count is the question's three filters
(`effective`, `adopted`, and `known`, which is the choice of the events that are added).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ledger.proofs.verify import ProofError

ADDS = {
    "budget.line.approved": ("approved amended adjusted", "amount", 1),
    "budget.line.amended": ("amended adjusted", "", 1),
    "budget.line.adjusted": ("adjusted", "change", 1),
    "budget.sequestration.applied": ("adjusted", "amount", -1),
    "budget.plan.month.changed": ("plan", "change", 1),
    "budget.commitment.registered": ("accepted unpaid", "amount", 1),
    "budget.commitment.changed": ("accepted unpaid", "change", 1),
    "budget.commitment.cancelled": ("accepted unpaid", "amount", -1),
    "budget.payment.executed": ("executed", "amount", 1),
    "budget.payment.returned": ("executed", "amount", -1),
    "budget.cash_expenditure.recovered": ("executed", "amount", -1),
    "budget.receipt.credited": ("executed", "amount", 1),
    "budget.receipt.refunded": ("executed", "amount", -1),
    "budget.transfer.sent": ("executed", "amount", 1),
    "budget.transfer.received": ("executed", "amount", 1),
}
"""Event kinds that change a line: the figures, the body's field (minor units) and its sign.

A kind without a field has one for each figure. The version of every kind is 1."""
TURNED = ("budget.commitment.", "budget.payment.", "budget.cash_expenditure.")
"""Kinds whose sign is turned on a contra line."""
PLANS = ("plan_receipts", "plan_commitments", "plan_payments")
FIGURES = (
    "approved", "amended", "adjusted", *(name + year for name in PLANS for year in ("", "_year")),
    "accepted", "unpaid", "executed",
)  # fmt: skip
"""The amounts of a row; plans are to date, `_year` counts every month."""
BALANCE = ("approved", "amended", "adjusted", "executed")
Line = tuple[str, ...]
Place = tuple[Line, str, str, str, str]
"""Line, day of effect, day of adoption, plan month ("" for none), figure."""


class Sums:
    """A budget's amounts in minor units by place; `add` its events, then ask for any day."""

    def __init__(self, amounts: Iterable[tuple[Place, int]] = ()) -> None:
        """Begin with nothing, or go on from what was summed before."""
        self.amounts: defaultdict[Place, int] = defaultdict(int, amounts)

    def add(self, body: Mapping[str, Any]) -> None:
        """Add an event by its body (JSON state). Raises ProofError for a version not known."""
        kind = body["kind"]
        found = ADDS.get(kind)
        if found is None:
            return
        if body.get("class_version", 1) != 1:
            raise ProofError("version", f"{kind} is of a version that this verifier does not know")
        measures, field, sign = found
        said = {**body.get("command", {}), **body}
        if said.get("contra") and kind.startswith(TURNED):
            sign = -sign
        place = (
            tuple(said["line"]), said.get("effective_from") or said["value_date"],
            said.get("adopted_on") or said["act"]["date"], said.get("month", ""),
        )  # fmt: skip
        for measure in measures.split():
            amount = sign * said[f"{field or measure}_minor"]
            name = f"plan_{said['plan']}" if measure == "plan" else measure
            self.amounts[*place, name] += amount
            if measure == "executed" and said.get("contract"):
                self.amounts[*place, "unpaid"] -= amount

    def lines(self, effective: str, adopted: str | None) -> dict[Line, Counter[str]]:
        """Return each line's figures of what has effect and was adopted by a day (ISO 8601)."""
        found: dict[Line, Counter[str]] = {}
        for (line, day, act_day, month, measure), amount in self.amounts.items():
            if day > effective or (adopted is not None and act_day > adopted):
                continue
            figures = found.setdefault(line, Counter())
            if not month or f"{month}-01" <= effective:
                figures[measure] += amount
            if month:
                figures[f"{measure}_year"] += amount
        return found


def jurisdiction_of(rulebook: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the jurisdiction that the last event of a rulebook's bodies adopts."""
    found: Mapping[str, Any] | None = None
    for body in rulebook:
        if body["kind"] == "rulebook.jurisdiction.adopted":
            found = body["command"]["jurisdiction"]
    if found is None:
        raise ProofError("rules", "the rulebook holds no jurisdiction")
    return found


def check_execution(
    report: Mapping[str, Any], question: Mapping[str, Any], sums: Sums, rules: Mapping[str, Any]
) -> int:
    """Raise unless an execution report's rows, totals and balance add up; return the figures.

    `question` has the prefix, level and dimension, `rules` the jurisdiction.
    """
    sections = {section["name"]: section for section in rules["sections"]}
    prefix = question.get("prefix") or []
    groups: dict[tuple[str, Line], Counter[str]] = {}
    for line, figures in sums.lines(report["effective"], report["adopted"]).items():
        if list(line[: len(prefix)]) == prefix:
            for part, shown in (("rows", _shown(line, question, sections)), ("totals", line[:1])):
                groups.setdefault((part, shown), Counter()).update(figures)
    rows = [(part, row) for part in ("rows", "totals") for row in report[part]]
    if sorted((part, tuple(row["line"])) for part, row in rows) != sorted(groups):
        raise ProofError("sums", "the report has other lines than its events")
    for part, row in rows:
        _compare(row, groups[part, tuple(row["line"])], FIGURES, rules, " / ".join(row["line"]))
    totals = {line[0]: figures for (part, line), figures in groups.items() if part == "totals"}
    parts = _balance(totals, sections)
    if sorted(row["part"] for row in report["identity"]) != sorted(parts):
        raise ProofError("sums", "the report has other parts of the balance than its events")
    for row in report["identity"]:
        _compare(row, parts[row["part"]], BALANCE, rules, row["part"])
    return len(rows) * len(FIGURES) + len(parts) * len(BALANCE)


def _shown(line: Line, question: Mapping[str, Any], sections: Mapping[str, Any]) -> Line:
    """Return the path that a line is summed under: cut at a level, or by a dimension's code."""
    if not question.get("by"):
        return line[: question.get("level")]
    names = [dimension["name"] for dimension in sections[line[0]].get("dimensions", ())]
    depth = names.index(question["by"]) + 1 if question["by"] in names else len(line)
    return (line[0], line[depth]) if depth < len(line) else line[:1]


def _balance(
    totals: Mapping[str, Counter[str]], sections: Mapping[str, Any]
) -> dict[str, Counter[str]]:
    """Return the parts that have figures, and V = I - II - III - IV (K25 9)."""
    parts: dict[str, Counter[str]] = {}
    turned: dict[str, int] = {}
    for name, section in sections.items():
        inside, sign = section.get("identity"), section.get("identity") or section.get("financing")
        part = section.get("part") or name
        turn = turned.setdefault(part, sign if inside else 1) if sign else 0
        if name in totals and sign:
            for shown, factor in ((part, turn * sign), *([("V", sign)] if inside else [])):
                sums = parts.setdefault(shown, Counter())
                for figure in BALANCE:
                    sums[figure] += factor * totals[name][figure]
    return parts


def _compare(
    row: Mapping[str, Any], sums: Counter[str], names: Sequence[str], rules: Mapping[str, Any],
    place: str,
) -> None:  # fmt: skip
    """Raise unless a row's amounts are those sums as decimal strings."""
    for name in names:
        computed = amount_text(sums[name], rules["minor_digits"])
        if row[name] != computed:
            told = f"{name} of {place}: the report says {row[name]}, its events {computed}"
            raise ProofError("sums", told)


def amount_text(minor: int, digits: int) -> str:
    """Write minor units as a decimal string of the currency's decimals."""
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}" + (f".{rest:0{digits}d}" if digits else "")
