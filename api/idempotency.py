"""Idempotency-Key: the header is the command's id, under another name.

The same id with the same content gives the first answer again; with other content it is refused.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from api.problems import Problem
from api.wire import header

HEADER = "Idempotency-Key"


def with_key(request: Request, document: Any) -> Any:
    """Return the document under the header's id. Raises 422 when both are given and differ."""
    key = header(request, HEADER.lower().encode())
    if key is None or not isinstance(document, dict):
        return document
    key = key.strip().strip('"')
    if "command_id" not in document:
        return {**document, "command_id": key}
    if document["command_id"] != key:
        raise Problem("idempotency-key-mismatch",
                      f"{HEADER} is not the command_id of the body")  # fmt: skip
    return document
