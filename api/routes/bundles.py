"""Reports as bundles: the answer with its events, proofs and signed checkpoint in one zip.

The same questions as the reports themselves, at the report's path with `.zip`; whoever gets the
file needs nobody (`qazyna verify`). Equal questions under an equal checkpoint give equal bytes.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api import paging, reports
from api.at_least import AtLeast, reach
from api.bundles import Answered, gather
from api.documents import problem_answers
from api.parameters import (
    AsOfDay,
    BudgetPath,
    Known,
    NamePath,
    NameQuery,
    Segments,
    StrictRoute,
    TrailQuestion,
)
from api.parts import fiscal, ledger_of, parts_of, rules_of
from api.routes import execution, lines, warnings
from ledger.rules import Rules
from ledger.store.read import find_heads
from projections.budget_execution.report import find_head
from projections.known import resolve_known
from projections.special_accounts import account_statement
from projections.transfers import pairing_report

router = APIRouter(tags=["evidence"], route_class=StrictRoute)
ZIP = "application/zip"
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}},
    **problem_answers(404, 422, 500, 503),
}


@router.get("/v1/budgets/{budget}/execution.zip", summary="The execution report with its evidence",
            response_class=Response, responses=ANSWERS)  # fmt: skip
async def get_execution_bundle(  # noqa: PLR0913, PLR0917 - the filters of a historical question
    request: Request,
    budget: BudgetPath,
    effective: AsOfDay = None,
    adopted: AsOfDay = None,
    known: Known = None,
    prefix: Segments = [],  # noqa: B006 - never changed
    level: execution.Level = None,
    by: NameQuery = None,
    at_least: AtLeast = None,
) -> Response:
    """Return the report with every event of the budget up to its sequence."""
    fiscal(budget)
    await reach(request, at_least, "budget_execution")
    found, rules = await execution.asked(
        request, budget, effective, adopted, known, prefix, level, by
    )
    question = {
        "budget": budget, "effective": effective.isoformat() if effective else None,
        "adopted": adopted.isoformat() if adopted else None, "known": known, "prefix": prefix,
        "level": level, "by": by,
    }  # fmt: skip
    return await _bundle(request, Answered(
        name="execution", question=question, sequence=found.sequence,
        document=reports.execution(found), rules_at=rules.position, logs=[budget],
    ))  # fmt: skip


@router.get("/v1/budgets/{budget}/accounts/{account}/statement.zip", response_class=Response,
            summary="Statement of a special account with its evidence",
            responses=ANSWERS)  # fmt: skip
async def get_account_bundle(
    request: Request, budget: BudgetPath, account: NamePath, at_least: AtLeast = None
) -> Response:
    """Return the statement with every event of the budget up to its sequence."""
    fiscal(budget)
    await reach(request, at_least, "special_accounts")
    ledger = ledger_of(request)
    async with ledger.database.connect("reader") as connection:
        rules = await rules_of(request, connection)
        found = await account_statement(connection, budget, account)
    return await _bundle(request, Answered(
        name="account", question={"budget": budget, "account": account},
        sequence=found.sequence, document=reports.account(found, ledger.digits),
        rules_at=rules.position, logs=[budget],
    ))  # fmt: skip


@router.get("/v1/budgets/{budget}/warnings.zip", summary="Flagged events with their evidence",
            response_class=Response, responses=ANSWERS)  # fmt: skip
async def get_warnings_bundle(
    request: Request,
    budget: BudgetPath,
    after: paging.AfterSequence = 0,
    limit: paging.Limit = 100,
    at_least: AtLeast = None,
) -> Response:
    """Return a page of flagged events with every event of the budget up to its sequence."""
    fiscal(budget)
    await reach(request, at_least, "budget_execution")
    document = await warnings.asked(request, budget, after, limit)
    async with ledger_of(request).database.connect("reader") as connection:
        rules = await rules_of(request, connection)
    return await _bundle(request, Answered(
        name="warnings", question={"budget": budget, "after": after, "limit": limit},
        sequence=document["sequence"], document=document, rules_at=rules.position, logs=[budget],
    ))  # fmt: skip


@router.get("/v1/budgets/{budget}/transfers.zip", summary="Pairing of transfers with its evidence",
            response_class=Response, responses=ANSWERS)  # fmt: skip
async def get_transfers_bundle(
    request: Request,
    budget: BudgetPath,
    adopted: AsOfDay = None,
    known: Known = None,
    at_least: AtLeast = None,
) -> Response:
    """Return the pairing with every event of the budget and of each that its transfers name.

    A budget that names this one in its act alone is shown too; one that is left out is not missed
    by the file itself, only by an audit of the whole ledger.
    """
    fiscal(budget)
    await reach(request, at_least, "transfers")
    ledger = ledger_of(request)
    async with ledger.database.connect("reader") as connection:
        rules = await rules_of(request, connection)
        timezone = rules.jurisdiction.timezone
        upto = None if known is None else await resolve_known(connection, known, timezone)
        found = await pairing_report(connection, budget, adopted, upto)
        named = {budget, *(code for pair in found.pairs for code in (pair.payer, pair.receiver))}
        logs = sorted(await find_heads(connection, named))
    if not found.pairs:
        await ledger.position(budget)
    question = {"budget": budget, "adopted": adopted.isoformat() if adopted else None,
                "known": known}  # fmt: skip
    return await _bundle(request, Answered(
        name="transfers", question=question, rules_at=rules.position, logs=logs,
        sequence=found.sequence, document=reports.transfers(found, adopted, upto, ledger.digits),
    ))  # fmt: skip


@router.get("/v1/budgets/{budget}/exempt.zip", summary="Exempt amounts with their evidence",
            response_class=Response, responses=ANSWERS)  # fmt: skip
async def get_exempt_bundle(
    request: Request, budget: BudgetPath, effective: AsOfDay = None, at_least: AtLeast = None
) -> Response:
    """Return what a sequestration may not touch, with every event of the budget."""
    fiscal(budget)
    await reach(request, at_least, "budget_execution")
    ledger = ledger_of(request)
    async with ledger.database.connect("reader") as connection:
        rules = await rules_of(request, connection)
        head = await find_head(connection, budget)
    on = effective or execution.today(rules, head.year, ledger.clock())
    return await _made(request, "exempt", "budget_execution", rules, {
        "budget": budget, "effective": on.isoformat()})  # fmt: skip


@router.get("/v1/budgets/{budget}/lines.zip", summary="Lines of a budget with their evidence",
            response_class=Response, responses=ANSWERS)  # fmt: skip
async def get_lines_bundle(
    request: Request,
    budget: BudgetPath,
    prefix: Segments = [],  # noqa: B006 - never changed
    after: lines.AfterNumber = 0,
    limit: paging.Limit = 100,
    at_least: AtLeast = None,
) -> Response:
    """Return a page of lines with every event of the budget."""
    fiscal(budget)
    await reach(request, at_least, "budget_execution")
    async with ledger_of(request).database.connect("reader") as connection:
        rules = await rules_of(request, connection)
        await find_head(connection, budget)
    return await _made(request, "lines", "budget_execution", rules, {
        "budget": budget, "prefix": prefix, "after": after, "limit": limit})  # fmt: skip


@router.get("/v1/budgets/{budget}/audit.zip", summary="A budget's audit trail with its evidence",
            response_class=Response, responses=ANSWERS)  # fmt: skip
async def get_budget_audit_bundle(
    request: Request, budget: BudgetPath, asked: TrailQuestion, at_least: AtLeast = None
) -> Response:
    """Return `/v1/audit` of one budget with its events, and those of who sent it transfers."""
    fiscal(budget)
    await reach(request, at_least, "audit_trail")
    async with ledger_of(request).database.connect("reader") as connection:
        rules = await rules_of(request, connection)
        await find_head(connection, budget)
    return await _made(request, "audit", "audit_trail", rules, {"budget": budget, **asked},
                       payers=True)  # fmt: skip


@router.get("/v1/audit.zip", summary="The audit trail of all budgets with its evidence",
            response_class=Response, responses=ANSWERS)  # fmt: skip
async def get_audit_bundle(
    request: Request, asked: TrailQuestion, at_least: AtLeast = None
) -> Response:
    """Return `/v1/audit` with every event of the ledger up to its sequence."""
    await reach(request, at_least, "audit_trail")
    sequence = await parts_of(request).runner.sequence("audit_trail")
    return await _bundle(request, Answered(
        name="audit", question={"budget": None, **asked}, sequence=sequence, rules_at=0, logs=None,
    ))  # fmt: skip


async def _made(
    request: Request, name: str, projection: str, rules: Rules, question: dict[str, Any], *,
    payers: bool = False,
) -> Response:  # fmt: skip
    """Answer with a report that is made of the events up to where a projection stands."""
    sequence = await parts_of(request).runner.sequence(projection)
    return await _bundle(request, Answered(
        name=name, question=question, sequence=sequence, rules_at=rules.position,
        logs=[question["budget"]], payers=payers,
    ))  # fmt: skip


async def _bundle(request: Request, answered: Answered) -> Response:
    """Answer with the bundle as a file to keep."""
    name = f"{answered.question['budget'] or 'ledger'}-{answered.name}-{answered.sequence}.zip"
    return Response(
        await gather(parts_of(request), answered), media_type=ZIP,
        headers={"Content-Disposition": f'attachment; filename="{name}"',
                 "Cache-Control": "private, no-cache"},
    )  # fmt: skip
