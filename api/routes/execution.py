"""GET /v1/budgets/{budget}/execution: the columns of the official report (law B7), as of.

`effective` × `adopted` × `known` are three independent filters; the answer names the sequence
it is true for, and two equal questions give equal bytes.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api import reports
from api.at_least import AtLeast, reach
from api.documents import ExecutionDocument, not_modified, problem_answers
from api.etag import report as answer
from api.parameters import AsOfDay, BudgetPath, Known, NameQuery, Segments, StrictRoute
from api.parts import fiscal, ledger_of, rules_of
from ledger.dates import local_day
from ledger.errors import NotFound
from ledger.rules import Rules
from projections.budget_execution import lines
from projections.budget_execution.figures import ExecutionReport
from projections.budget_execution.report import find_head, report
from projections.known import resolve_known

router = APIRouter(tags=["reports"], route_class=StrictRoute)
Level = Annotated[int | None, Query(ge=1, le=9, description="depth of the rows: 1 = section")]


@router.get("/v1/budgets/{budget}/execution", summary="The execution report",
            response_class=Response,
            responses={200: {"model": ExecutionDocument}, **not_modified(),
                       **problem_answers(404, 422, 503)})  # fmt: skip
async def get_execution(  # noqa: PLR0913, PLR0917 - the filters of a historical question
    request: Request,
    budget: BudgetPath,
    effective: AsOfDay = None,
    adopted: AsOfDay = None,
    known: Known = None,
    prefix: Segments = [],  # noqa: B006 - never changed
    level: Level = None,
    by: NameQuery = None,
    at_least: AtLeast = None,
) -> Response:
    """Return the report; `effective` is the ledger's own day inside the year unless given."""
    fiscal(budget)
    await reach(request, at_least, "budget_execution")
    found, _ = await asked(request, budget, effective, adopted, known, prefix, level, by)
    return answer(request, reports.execution(found))


async def asked(
    request: Request, budget: str, effective: date | None, adopted: date | None,
    known: str | None, prefix: list[str], level: int | None, by: str | None,
) -> tuple[ExecutionReport, Rules]:  # fmt: skip
    """Return the report and the rules that it was composed with. Raises `NotFound`."""
    ledger = ledger_of(request)
    async with ledger.database.connect("reader") as connection:
        rules = await rules_of(request, connection)
        head = await find_head(connection, budget)
        found = await report(
            connection, rules, budget=budget,
            effective=effective or today(rules, head.year, ledger.clock()), adopted=adopted,
            known=None if known is None
            else await resolve_known(connection, known, rules.jurisdiction.timezone),
            prefix=tuple(prefix), level=level, by=by,
        )  # fmt: skip
        if prefix and not found.rows:
            await _require_branch(connection, rules, budget, tuple(prefix))
    return found, rules


async def _require_branch(
    connection: Any, rules: Rules, budget: str, prefix: tuple[str, ...]
) -> None:
    """Refuse a prefix that no line of the budget has ever had."""
    if not await lines(connection, rules, budget, prefix=prefix, after=0, limit=1):
        raise NotFound("unknown-branch", f"no line of {budget} begins with {' / '.join(prefix)}",
                       budget=budget, line=list(prefix))  # fmt: skip


def today(rules: Rules, year: int, now: int) -> date:
    """Return the ledger's own day, or the nearest day of the fiscal year."""
    jurisdiction = rules.jurisdiction
    return jurisdiction.fiscal_year(year).clip(local_day(now, jurisdiction.timezone))
