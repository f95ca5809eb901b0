"""The oracle's book: a flat list of entries; every question is a sum over it, nothing is cached."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from typing import NamedTuple

Line = tuple[str, ...]
PLANS = {kind: f"plan_{kind}" for kind in ("receipts", "commitments", "payments")}
NODE_LIMITS = (  # control, what is used, what bounds it (K25 103, 105, 109, 110; I7, I12)
    ("payments-plan", "executed", "plan_payments"),
    ("commitments-plan", "accepted", "plan_commitments"),
    ("appropriation", "plan_payments", "adjusted"),
    ("appropriation", "plan_commitments", "adjusted"),
    ("appropriation", "executed", "adjusted"),
)


class Entry(NamedTuple):
    """One amount, in minor units, with everything that is known about it."""

    budget: str
    measure: str
    line: Line
    amount: int
    effective: date
    adopted: date
    recorded: datetime
    sequence: int
    month: date | None = None
    contract: str | None = None
    payment: str | None = None
    account: str | None = None

    @property
    def counts(self) -> date:
        """Day from which the amount counts: a month of a plan from its first day."""
        return max(self.effective, self.month) if self.month else self.effective


def total(entries: Iterable[Entry], *measures: str, **same: object) -> int:
    """Sum measures over the entries whose named fields equal the given values."""
    return sum(e.amount for e in entries if e.measure in measures
               and all(getattr(e, k) == v for k, v in same.items()))  # fmt: skip


def under(entries: Iterable[Entry], prefix: Line) -> list[Entry]:
    """Return the entries at a node and below it."""
    return [e for e in entries if e.line and e.line[: len(prefix)] == prefix]


def broken(mine: list[Entry], new: list[Entry], stops: set[str], spending: set[str],
           contra: set[Line]) -> Iterator[str]:  # fmt: skip
    """Name each limit that a budget's entries break on some day, `new` being part of `mine`.

    Sums change only on days from which an entry counts, so these days stand for every day.
    """
    days = sorted({e.counts for e in mine})
    for node in {e.line[:n] for e in new for n in range(1, len(e.line) + 1)}:
        inside = under(mine, node)
        limits = NODE_LIMITS if node[0] in spending else ()
        for day in days if node not in contra else ():
            yield from _node([e for e in inside if e.counts <= day], inside, stops, limits)
    for day in days:
        yield from _accounts([e for e in mine if e.counts <= day], mine, new, stops)


def _node(past: list[Entry], all_year: list[Entry], stops: set[str],
          limits: tuple[tuple[str, str, str], ...]) -> Iterator[str]:  # fmt: skip
    """Bind a node by each figure at it or below it; from the budget's own lines upwards a missing
    plan is a plan of zero."""  # noqa: D209 - one line less
    has = {e.measure for e in all_year}
    figures = ("adjusted", *PLANS.values())
    yield from (f"{figure} below zero" for figure in figures if total(past, figure) < 0)
    for control, used, bound in limits:
        exists = control in stops and (bound in has or "adjusted" in has)
        if exists and total(past, used) > total(past, bound):
            yield control


def _accounts(past: list[Entry], mine: list[Entry], new: list[Entry],
              stops: set[str]) -> Iterator[str]:  # fmt: skip
    for account in {e.account for e in new if e.measure == "cash"}:
        control = "special-account" if account else "cash"
        if control in stops and total(past, "cash", account=account) < 0:
            yield control
    for name in {e.contract for e in new if e.contract}:
        paid, accepted = (total(past, m, contract=name) for m in ("executed", "accepted"))
        if "unused-registration" in stops and paid > accepted:
            yield "unused-registration"
    if any(total(past, "executed", payment=p) < 0 for p in {e.payment for e in new if e.payment}):
        yield "more returned than paid"
    planned = "plan-balance" in stops and any(e.measure == "plan_receipts" for e in mine)
    if planned and total(past, "plan_payments") > total(past, "plan_receipts"):
        yield "plan-balance"


def report(entries: Iterable[Entry], effective: str, adopted: str | None, known: str | int | None,
           prefix: Line, cut: Callable[[Line], Line]) -> dict[Line, dict[str, int]]:  # fmt: skip
    """Return the execution report (B7): for each line, as `cut` shows it, its columns.

    `known` is a moment, a plain day (its end, UTC) or a sequence.
    """
    day, adopted_by = date.fromisoformat(effective), date.fromisoformat(adopted or "9999-12-31")
    seen = [e for e in under(entries, prefix) if e.effective <= day and e.adopted <= adopted_by]
    if isinstance(known, int):
        seen = [e for e in seen if e.sequence <= known]
    elif known:
        until = datetime.fromisoformat(known)
        until = until if "T" in known else datetime.combine(until, time.max, UTC)
        seen = [e for e in seen if e.recorded <= until]
    found = {}
    for line in sorted({cut(e.line) for e in seen}):
        inside = [e for e in seen if cut(e.line) == line]
        past = [e for e in inside if e.counts <= day]
        row = {name: total(inside, name)
               for name in ("approved", "amended", "adjusted", "accepted", "executed")}  # fmt: skip
        for name, part in (("", past), ("_year", inside)):  # the form has one column for both
            row[f"plan_payments{name}"] = total(part, "plan_payments", "plan_receipts")
            row[f"plan_commitments{name}"] = total(part, "plan_commitments")
        row["unpaid"] = row["accepted"] - total([e for e in inside if e.contract], "executed")
        found[line] = row
    return found
