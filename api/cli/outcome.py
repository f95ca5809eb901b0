"""How a command ends: one table of exit codes, one line on stderr, or a problem object.

An error that was foreseen never shows a traceback; one that was not ends with code 5 and shows it.
"""

from __future__ import annotations

import sys
import traceback
from enum import IntEnum
from typing import Any

import asyncpg
import httpx
import orjson
from pydantic import ValidationError

from api.client import RemoteProblem
from api.load import LoadRefused, MappingInvalid
from ledger.errors import (
    Broken,
    Invalid,
    LedgerError,
    OutcomeUnknown,
    RetryLater,
)
from ledger.store.embedded import HomeInUse
from ledger.store.pool import LOST


class Exit(IntEnum):
    """What a caller can do next decides the exit code."""

    OK = 0
    REFUSED = 1
    INPUT = 2
    RETRY = 3
    UNKNOWN = 4
    BROKEN = 5
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "done, nothing to report",
    Exit.REFUSED: "a command was refused, a row is bad, or a check has findings",
    Exit.INPUT: "the arguments or the input cannot be read, or name what does not exist",
    Exit.RETRY: "nothing was written; try again later",
    Exit.UNKNOWN: "whether it was stored is not known; send the same command again",
    Exit.BROKEN: "the installation or the stored history is not what it must be",
    Exit.INTERRUPTED: "interrupted",
}
EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {text}" for code, text in MEANING.items())

_STATUS = {401: Exit.REFUSED, 403: Exit.REFUSED, 409: Exit.REFUSED, 424: Exit.REFUSED,
           429: Exit.RETRY, 502: Exit.RETRY, 503: Exit.RETRY, 504: Exit.UNKNOWN}  # fmt: skip


def exit_of_status(status: int) -> Exit:
    """Return the exit code of an HTTP status, which problems in this process have too."""
    if status < 400:  # noqa: PLR2004 - not an error
        return Exit.OK
    return _STATUS.get(status, Exit.INPUT if status < 500 else Exit.BROKEN)  # noqa: PLR2004


def explain(error: BaseException) -> tuple[Exit, dict[str, Any]] | None:
    """Return the exit code and the problem of an error that was foreseen, else None."""
    match error:
        case RemoteProblem():
            return exit_of_status(int(error.document.get("status", 500))), error.document
        case LedgerError():
            return _exit_of(error), {"code": error.code, "detail": error.message, **error.details}
        case MappingInvalid():
            return Exit.INPUT, _problem("mapping-invalid", str(error))
        case LoadRefused():
            return Exit.INPUT, _problem("load-refused", str(error))
        case ValidationError():
            told = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
            return Exit.INPUT, _problem("invalid-settings", told)
    return _of_network(error) or _of_database(error) or _of_files(error)


def _of_network(error: BaseException) -> tuple[Exit, dict[str, Any]] | None:
    """Explain what went wrong on the way to a service."""
    match error:
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return Exit.INPUT, _problem("invalid-url", str(error))
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return Exit.RETRY, _problem("unavailable", f"no service answers there: {error}")
        case httpx.TransportError():
            return Exit.UNKNOWN, _problem("outcome-unknown", f"the connection was lost: {error!r}")
    return None


def _of_files(error: BaseException) -> tuple[Exit, dict[str, Any]] | None:
    """Explain a file that cannot be read or written."""
    if isinstance(error, OSError) and error.filename:
        return Exit.INPUT, _problem("unreadable", f"{error.filename}: {error.strerror}")
    return None


def _of_database(error: BaseException) -> tuple[Exit, dict[str, Any]] | None:
    """Explain what the database says, or that it does not answer."""
    if isinstance(error, OSError) and error.filename:
        return None
    if isinstance(error, LOST):
        return Exit.RETRY, _problem("unavailable", f"the database does not answer: {error}")
    if isinstance(error, asyncpg.PostgresError):
        return Exit.BROKEN, _problem("broken", f"the database says: {error}")
    return None


def _exit_of(error: LedgerError) -> Exit:
    """Return the exit code of an error of the ledger."""
    match error:
        case RetryLater() | HomeInUse():
            return Exit.RETRY
        case OutcomeUnknown():
            return Exit.UNKNOWN
        case Broken():
            return Exit.BROKEN
        case Invalid():
            return Exit.INPUT
    return Exit.REFUSED


def _problem(code: str, detail: str) -> dict[str, Any]:
    """Return a problem of this program's own."""
    return {"code": code, "detail": detail}


def fail(error: BaseException, *, as_json: bool) -> Exit:
    """Tell an error and return the exit code."""
    known = explain(error)
    if known is None:
        traceback.print_exception(error)
        return Exit.BROKEN
    code, problem = known
    if as_json:
        whole = {"type": f"urn:qazyna:problem:{problem['code']}", **problem}
        sys.stdout.buffer.write(orjson.dumps(whole, default=str) + b"\n")
        sys.stdout.flush()
    else:
        sys.stderr.write(f"{line(problem)}\n")
    return code


def line(problem: dict[str, Any]) -> str:
    """Write a problem for people: code and message, then its places, limits and figures."""
    told = f"{problem.get('code', 'problem')}: {problem.get('detail') or problem.get('title', '')}"
    found = [f"{e['place']}: {e['reason']}" for e in problem.get("errors", ())
             if e["reason"] not in told]  # fmt: skip
    found += [f"{b['limit']} of {b['subject']} on {b['day']}: asked {b['asked']}, "
              f"available {b['available']}" for b in problem.get("limits", ())]  # fmt: skip
    if not problem.get("limits"):
        found += [f"{name} {value}" for name, value in problem.get("figures", {}).items()]
    law = f" [{problem['law']}]" if problem.get("law") else ""
    return " ".join(f"{told}{law}{' — ' if found else ''}{'; '.join(found)}".split())
