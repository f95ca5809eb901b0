"""Pages: every list takes `after` and `limit` and names the `next` place to ask after.

The place is a value of the list itself (a code, a sequence), so that a page can be asked again
years later; `next` is null on the last page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Query

LIMIT = 1000
Limit = Annotated[int, Query(ge=1, le=LIMIT, description="most items of one page")]
AfterSequence = Annotated[
    int, Query(ge=0, le=2**62, description="items after this sequence: the `next` of a page")
]


def page(
    found: Sequence[Any], limit: int, place: Callable[[Any], Any]
) -> tuple[Sequence[Any], Any]:
    """Split `limit + 1` found items into a page and the place of its last item, or None."""
    if len(found) <= limit:
        return found, None
    return found[:limit], place(found[limit - 1])
