"""The running parts of the service, as routes get them: put into the application's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from ledger.errors import NotFound
from ledger.events import RULEBOOK
from ledger.rules import Rules
from ledger.service import Ledger
from ledger.store.evidence import Evidence
from ledger.store.read import load_rules
from ledger.store.receipting import Receipting

if TYPE_CHECKING:
    from api.assembly import Running


def parts_of(request: Request) -> Running:
    """Return ledger and projections of the application that got the request."""
    running: Running = request.app.state.running
    return running


def ledger_of(request: Request) -> Ledger:
    """Return the ledger of the application that got the request."""
    return parts_of(request).ledger


def evidence_of(request: Request) -> Evidence:
    """Return the reading side of the tree of the application that got the request."""
    return parts_of(request).evidence


def receipting_of(request: Request) -> Receipting:
    """Return what signs receipts in the application that got the request."""
    return parts_of(request).receipting


async def rules_of(request: Request, connection: Any) -> Rules:
    """Return the rules as they are committed; what was read before is not read again."""
    state = request.app.state
    state.rules = await load_rules(connection, getattr(state, "rules", None))
    rules: Rules = state.rules
    return rules


def fiscal(budget: str) -> str:
    """Return the code of a budget. Raises `NotFound` for the rulebook, which is none."""
    if budget == RULEBOOK:
        raise NotFound("unknown-budget", "the rulebook is a log, but no budget", budget=budget)
    return budget
