"""Read-your-writes: `at_least=budget:position` waits until reports show that posting."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.requests import Request

from api.parts import parts_of
from api.problems import Problem

AtLeast = Annotated[
    str | None,
    Query(
        max_length=100, pattern=r"^([A-Z]{2}-[0-9]{4}-[a-z0-9-]+|rulebook):[1-9][0-9]{0,17}$",
        description="budget:position that the answer must show; waits a few seconds for it",
    ),
]  # fmt: skip


async def reach(request: Request, at_least: str | None, projection: str) -> None:
    """Wait until a projection, the one that answers, shows a position.

    Raises 422 for a position that is not in the log, 503 when it takes long.
    """
    if at_least is None:
        return
    budget, _, text = at_least.rpartition(":")
    last = await parts_of(request).ledger.position(budget)
    if int(text) > last:
        raise Problem("not-reached", f"the log of {budget} ends at position {last}",
                      budget=budget, position=last)  # fmt: skip
    await parts_of(request).runner.wait_for(budget, int(text), projection=projection)
