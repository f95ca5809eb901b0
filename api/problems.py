"""One error shape for every route: RFC 9457 problems with stable codes, and the table of codes.

A problem is {type, title, status, detail, code, …}: `code` is for programs, `detail` for people.
A refusal adds the rule, the law, the figures and every limit that fails; amounts are decimal
strings in the ledger's currency.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger.dates import to_iso
from ledger.errors import Broken, Invalid, LedgerError, OutcomeUnknown, RetryLater
from ledger.money import to_text
from ledger.store.answers import Answer
from ledger.store.pool import LOST

log = logging.getLogger(__name__)

MEDIA = "application/problem+json"
REFUSED, WITHHELD = 409, 424
ERRORS_MAX = 100
"""Most places named in one problem."""
DETAIL_MAX = 1000

CODES: dict[str, tuple[int, str]] = {
    "invalid-json": (400, "The body is not JSON"),
    "invalid-encoding": (400, "The body is not plain UTF-8"),
    "invalid-text": (400, "A string holds a NUL or a lone surrogate"),
    "duplicate-key": (400, "A key stands twice in one object"),
    "number-not-exact": (400, "A number is no whole number"),
    "too-deep": (400, "The document is nested too deep"),
    "too-many-values": (400, "The document has too many values"),
    "bad-request": (400, "The request cannot be read"),
    "not-found": (404, "There is no such resource"),
    "unknown-budget": (404, "No budget of this code is open"),
    "unknown-command": (404, "No command of this id is stored in the budget"),
    "unknown-account": (404, "No account of this name is open in the budget"),
    "unknown-branch": (404, "No line of the budget begins with this prefix"),
    "unknown-event": (404, "No such event has a sequence"),
    "unknown-tile": (404, "The published tree has no such tile"),
    "unknown-checkpoint": (404, "No such tree is published"),
    "not-in-tree": (404, "The tree does not hold the event"),
    "method-not-allowed": (405, "The resource has no such method"),
    "body-too-large": (413, "The body is too large"),
    "too-many-commands": (413, "The batch has too many commands"),
    "unsupported-media-type": (415, "The body's media type is not accepted"),
    "invalid-command": (422, "The command cannot be read"),
    "invalid-parameter": (422, "A parameter cannot be read"),
    "unknown-parameter": (422, "A parameter is not known to this resource"),
    "idempotency-key-mismatch": (422, "Idempotency-Key and command_id differ"),
    "command-id-reused": (422, "The command id was used for another command"),
    "in-tree": (422, "The tree holds the event"),
    "not-reached": (422, "The position asked for is not in the log"),
    "withheld": (WITHHELD, "Another command of the atomic request was refused"),
    "internal-error": (500, "The service failed"),
    "broken": (500, "The ledger is not what it must be"),
    "overloaded": (503, "Too many commands are waiting"),
    "unavailable": (503, "The database does not answer"),
    "not-ready": (503, "The service is not ready"),
    "not-applied-yet": (503, "The reports have not come that far yet"),
    "budget-parked": (503, "The budget's reports wait for a fix"),
    "outcome-unknown": (504, "Whether the command was stored is not known yet"),
}
"""Every code but the refusals' (409), which stand with their rules in `ledger/instruments`."""

RETRY_SECONDS = 1
SAME_ID = "send the same command again under the same command_id: it is decided exactly once"


class Problem(Exception):
    """An answer that says no; `members` stand beside the standard ones."""

    def __init__(
        self, code: str, detail: str, *, status: int | None = None,
        headers: dict[str, str] | None = None, **members: Any,
    ) -> None:  # fmt: skip
        """Take a code of the table, or a code with its status."""
        super().__init__(detail)
        known, self.title = CODES.get(code, (400, "The request cannot be answered"))
        self.code, self.detail, self.status = code, detail, status or known
        self.headers = dict(headers or {})
        self.members = members
        if self.status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.headers.setdefault("Retry-After", str(RETRY_SECONDS))

    def document(self) -> dict[str, Any]:
        """Return the problem as JSON types."""
        return {
            "type": f"urn:qazyna:problem:{self.code}", "title": self.title,
            "status": self.status, "detail": self.detail[:DETAIL_MAX], "code": self.code,
            **self.members,
        }  # fmt: skip

    def response(self) -> Response:
        """Return the problem as an answer."""
        return problem_response(self.document(), self.headers)


def problem_response(document: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """Answer a problem document under its own status."""
    return Response(orjson.dumps(document), document["status"], headers, MEDIA)


def of_error(error: LedgerError) -> Problem:
    """Turn an error of the ledger into a problem."""
    if isinstance(error, RetryLater):
        return Problem(error.code, error.message, status=503,
                       headers={"Retry-After": str(error.retry_after)})  # fmt: skip
    if isinstance(error, OutcomeUnknown):
        return Problem(error.code, f"{error.message}; {SAME_ID}")
    if isinstance(error, Broken):
        log.error("the ledger is broken: %s %s", error.message, error.details)
        return Problem(error.code, error.message, status=500)
    status = 422 if isinstance(error, Invalid) else None
    status = CODES[error.code][0] if error.code in CODES else status
    return Problem(error.code, error.message, status=status, **_members(error.details))


def _members(details: dict[str, Any]) -> dict[str, Any]:
    """Return an error's details as members; places are cut to a bounded number."""
    shown = {name: value if isinstance(value, (int, list)) or value is None else str(value)
             for name, value in details.items()}  # fmt: skip
    if "errors" in shown:
        shown["errors"] = places(shown["errors"])
    return shown


def places(errors: Any) -> list[dict[str, str]]:
    """Return at most `ERRORS_MAX` places, each with a short reason."""
    return [{"place": error["place"][:200], "reason": error["reason"][:300]}
            for error in errors[:ERRORS_MAX]]  # fmt: skip


def of_refusal(answer: Answer, digits: int) -> dict[str, Any]:
    """Return the problem document of a refused or withheld command."""
    refusal = answer.refusal
    if refusal is None:
        problem = Problem("withheld", "another command of the atomic request was refused")
        return {**problem.document(), **stored(answer)}
    return {
        "type": f"urn:qazyna:problem:{refusal.code}", "title": "The command was refused",
        "status": REFUSED, "detail": refusal.message, "code": refusal.code,
        "rule": refusal.rule, "law": refusal.law,
        "figures": dict(figure(name, value, digits) for name, value in refusal.figures),
        "limits": [
            {"limit": broken.limit, "subject": broken.subject, "day": broken.day,
             "asked": to_text(broken.asked_minor, digits),
             "available": to_text(broken.available_minor, digits)}
            for broken in refusal.limits
        ],
        **stored(answer),
    }  # fmt: skip


def stored(answer: Answer) -> dict[str, Any]:
    """Return where a verdict stands in the log; no position where nothing was stored."""
    return {
        "command_id": str(answer.command_id), "budget": answer.budget,
        "position": answer.position,
        "recorded_at": None if answer.position is None else to_iso(answer.recorded_at),
        "replayed": answer.replayed,
    }  # fmt: skip


def figure(name: str, value: str, digits: int) -> tuple[str, str]:
    """Return a figure as it is shown: minor units as a decimal string without the suffix."""
    if not name.endswith("_minor"):
        return name, value
    try:
        return name.removesuffix("_minor"), to_text(int(value), digits)
    except ValueError:
        return name.removesuffix("_minor"), value


ANSWERED = (Problem, LedgerError, RequestValidationError, HTTPException)
"""What `answer_problem` knows; anything else is a failure, which the guard answers."""


async def answer_problem(request: Request, error: Exception) -> Response:
    """Answer what a route raised as a problem; a question has parameters, never a command."""
    if isinstance(error, Problem):
        return error.response()
    if isinstance(error, LedgerError):
        problem = of_error(error)
        if request.method == "GET" and problem.code == Invalid.code:
            problem = Problem("invalid-parameter", problem.detail, **problem.members)
        return problem.response()
    if isinstance(error, RequestValidationError):
        return of_parameters(error).response()
    if isinstance(error, HTTPException):
        return of_http(error).response()
    raise error


def of_parameters(error: RequestValidationError) -> Problem:
    """Name the parameters that cannot be read."""
    errors = [{"place": ".".join(str(step) for step in problem["loc"]), "reason": problem["msg"]}
              for problem in error.errors()]  # fmt: skip
    return Problem("invalid-parameter", f"{len(errors)} parameter(s) cannot be read",
                   errors=places(errors))  # fmt: skip


def of_http(error: HTTPException) -> Problem:
    """Turn what the framework itself says (404, 405) into a problem."""
    codes = {404: "not-found", 405: "method-not-allowed"}
    return Problem(codes.get(error.status_code, "bad-request"), str(error.detail),
                   status=error.status_code, headers=dict(error.headers or {}))  # fmt: skip


class Guard:
    """Answers what nobody foresaw as a problem too, and logs it."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand around the application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; an exception before the first byte becomes a problem."""
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except ClientDisconnect:
            return
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            if isinstance(error, LOST):
                log.warning("the database was lost while reading: %r", error)
                problem = Problem("unavailable", "the database does not answer")
            else:
                log.exception("%s %s failed", scope["method"], scope["path"])
                problem = Problem("internal-error", "the failure is logged")
            await problem.response()(scope, receive, send)
