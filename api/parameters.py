"""Parameters of questions: their types, and the rule that an unknown or doubled one is refused."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import date
from typing import Annotated, Any, get_origin

from fastapi import Depends, Path, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator
from pydantic import Field as Bound

from api import paging
from api.problems import Problem
from api.wire import printable
from ledger.terms import clean

Plain = AfterValidator(lambda text: text if text is None else clean(text))
"""No control characters: PostgreSQL's text knows no NUL."""
BudgetPath = Annotated[
    str,
    Path(
        max_length=80, pattern=r"^([A-Z]{2}-[0-9]{4}-[a-z0-9-]+|rulebook)$",
        description="code of the budget, for example KZ-2025-republic", examples=["rulebook"],
    ),
]  # fmt: skip
NamePath = Annotated[str, Path(min_length=1, max_length=120, examples=["KSN-7"]), Plain]
BudgetQuery = Annotated[
    str | None,
    Query(
        max_length=80, pattern=r"^([A-Z]{2}-[0-9]{4}-[a-z0-9-]+|rulebook)$",
        description="code of a budget",
    ),
]  # fmt: skip
NameQuery = Annotated[str | None, Query(min_length=1, max_length=500), Plain]
Segment = Annotated[str, Bound(min_length=1, max_length=200), Plain]
Segments = Annotated[
    list[Segment],
    Query(max_length=9, description="a path, one code a time: prefix=expenditure&prefix=01"),
]
AsOfDay = Annotated[date | None, Query(description='a day such as "2025-07-01"')]
Known = Annotated[
    str | None,
    Query(
        max_length=40,
        description="what was recorded by a sequence, a moment or a day (its end); days, and"
        " moments without an offset, are of the ledger's own time zone",
    ),
    Plain,
]  # fmt: skip


def trail_question(
    line: Annotated[
        list[Segment], Query(max_length=9, description="a path or its beginning, one code a time")
    ] = [],  # noqa: B006 - never changed
    contract: NameQuery = None,
    account: NameQuery = None,
    actor: NameQuery = None,
    act: NameQuery = None,
    kind: NameQuery = None,
    after: paging.AfterSequence = 0,
    limit: paging.Limit = 100,
) -> dict[str, Any]:
    """Return the conditions of a question to the audit trail, and its page, by name."""
    return {"line": line, "contract": contract, "account": account, "actor": actor, "act": act,
            "kind": kind, "after": after, "limit": limit}  # fmt: skip


TrailQuestion = Annotated[dict[str, Any], Depends(trail_question)]


class StrictRoute(APIRoute):
    """A route that refuses query parameters it does not declare, and single ones given twice."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Look at the query before the route does; most requests have none."""
        handler, known = super().get_route_handler(), declared(self.dependant)

        async def strict(request: Request) -> Response:
            if request.scope["query_string"]:
                only_known(request, known)
            return await handler(request)

        return strict


def only_known(request: Request, known: dict[str, bool]) -> None:
    """Refuse unknown parameters, and those given twice that may not repeat (False)."""
    counts: dict[str, int] = {}
    for name, _ in request.query_params.multi_items():
        counts[name] = counts.get(name, 0) + 1
    for name, count in counts.items():
        if name not in known:
            raise Problem("unknown-parameter", f"{printable(name)} is none of: "
                          f"{', '.join(sorted(known)) or 'no parameter'}",
                          parameter=printable(name))  # fmt: skip
        if count > 1 and not known[name]:
            raise Problem("invalid-parameter", f"{name} is given {count} times",
                          errors=[{"place": f"query.{name}", "reason": "given twice"}])  # fmt: skip


def declared(dependant: Any) -> dict[str, bool]:
    """Return the query parameters of a route; True for those that may repeat."""
    found = {
        field.alias: get_origin(field.field_info.annotation) in (list, tuple)
        for field in dependant.query_params
    }
    for below in dependant.dependencies:
        found |= declared(below)
    return found
