"""The running parts of the service, as routes get them: put into the application's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from ledger.service import Ledger

if TYPE_CHECKING:
    from api.assembly import Running


def parts_of(request: Request) -> Running:
    """Return ledger and projections of the application that got the request."""
    running: Running = request.app.state.running
    return running


def ledger_of(request: Request) -> Ledger:
    """Return the ledger of the application that got the request."""
    return parts_of(request).ledger
