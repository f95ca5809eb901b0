"""Strict wire JSON: bytes of a request become JSON types, or a coded problem. Nothing is guessed.

Refused besides broken syntax: duplicate keys, floats and NaN (amounts are decimal strings), deep
nesting, NUL bytes, lone surrogates, a byte order mark, bytes that are not UTF-8, large bodies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any, NoReturn

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.problems import Problem

COMMAND_BYTES_MAX = 8 * 1024 * 1024
BATCH_BYTES_MAX = 16 * 1024 * 1024
DISCARDED_BYTES_MAX = 64 * 1024 * 1024
FIELDS_MAX = 200
"""Most fields of one JSON object."""
VALUES_MAX = 400_000
"""Most values of one command: an approval of 30 000 lines has about half as many."""
JSON, NDJSON = "application/json", "application/x-ndjson"
_ESCAPED = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")


def media_type(request: Request, *accepted: str) -> str:
    """Return the body's media type. Raises 415 for others and for encoded bodies."""
    name, charset = _media(header(request, b"content-type") or "")
    if name not in accepted or (charset.startswith("charset=") and charset != "charset=utf-8"):
        raise Problem(
            "unsupported-media-type", f"send {' or '.join(accepted)} in UTF-8",
            headers={"Accept": ", ".join(accepted)},
        )  # fmt: skip
    if (header(request, b"content-encoding") or "identity").lower() != "identity":
        raise Problem("unsupported-media-type", "send the body without a content encoding")
    return name


def header(request: Request, name: bytes) -> str | None:
    """Return the first header of a name in small letters; None where there is none."""
    for key, value in request.scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


@lru_cache(maxsize=64)
def _media(text: str) -> tuple[str, str]:
    """Return a Content-Type's media type and its parameter without spaces and quotes."""
    name, _, parameters = text.partition(";")
    return name.strip().lower(), parameters.replace(" ", "").replace('"', "").lower()


async def read_body(request: Request, bytes_max: int) -> bytes:
    """Read a body; one that is too large is never kept, and refused before all of it is read."""
    announced = header(request, b"content-length") or ""
    if announced.isdigit() and int(announced) > bytes_max:
        raise await _too_large(request, bytes_max, 0)
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size > bytes_max:
            parts.clear()
            raise await _too_large(request, bytes_max, size, more=more)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _too_large(request: Request, bytes_max: int, size: int, *, more: bool = True) -> Problem:
    """Return the problem of a body that is too large.

    A client that sends without asking first (Expect: 100-continue) sees no answer before it has
    sent all, so a bounded rest is taken and thrown away; an endless one is cut off.
    """
    headers = {"Connection": "close"}
    if request.headers.get("expect", "").lower() != "100-continue":
        while more and size < DISCARDED_BYTES_MAX:
            message = await request.receive()
            size += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
        headers = headers if more else {}
    return Problem("body-too-large", f"the body has more than {bytes_max} bytes",
                   headers=headers, bytes_max=bytes_max)  # fmt: skip


def read_json(body: bytes) -> Any:
    """Read one JSON document strictly. Raises a coded `Problem`."""
    text = _text(body)
    try:
        document = _DECODER.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise Problem("invalid-json", f"{error.msg} at line {error.lineno}, column {error.colno}"
                      ) from None  # fmt: skip
    except ValueError as error:
        raise Problem("invalid-json", str(error)) from None
    _check_content(document, text, 0, len(text))
    return document


def read_array(body: bytes, items_max: int) -> list[Any]:
    """Read a JSON array; an element that breaks a rule beyond syntax becomes its `Problem`."""
    text = _text(body)
    spaces = json.decoder.WHITESPACE.match  # type: ignore[attr-defined]
    found: list[Any] = []
    at = spaces(text, 0).end()
    if text[at : at + 1] != "[":
        raise Problem("invalid-json", "a batch is a JSON array of commands")
    at = spaces(text, at + 1).end()
    closed = text[at : at + 1] == "]"
    while not closed:
        if len(found) >= items_max:
            raise Problem("too-many-commands", f"a batch has at most {items_max} commands",
                          commands_max=items_max)  # fmt: skip
        value, end = _element(text, at)
        found.append(value)
        at = spaces(text, end).end()
        mark = text[at : at + 1]
        if mark not in ("]", ","):
            raise Problem("invalid-json", f"',' or ']' is missing at character {at}")
        closed = mark == "]"
        at = spaces(text, at + 1).end() if not closed else at
    if spaces(text, at + 1).end() != len(text):
        raise Problem("invalid-json", f"text follows the array at character {at + 1}")
    return found


def _element(text: str, at: int) -> tuple[Any, int]:
    """Read the array's element that starts at a character: its value or problem, and its end."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except Problem as problem:
        try:
            return problem, _LENIENT.raw_decode(text, at)[1]
        except (ValueError, RecursionError):
            raise problem from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise Problem("invalid-json", str(error)) from None
    try:
        _check_content(value, text, at, end)
    except Problem as problem:
        return problem, end
    return value, end


def _text(body: bytes) -> str:
    """Decode a body. Raises `invalid-encoding`."""
    if body.startswith(b"\xef\xbb\xbf"):
        raise Problem("invalid-encoding", "the body starts with a byte order mark")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem("invalid-encoding", f"the body is not UTF-8 at byte {error.start}"
                      ) from None  # fmt: skip


def _check_content(document: Any, text: str, start: int, end: int) -> None:
    """Refuse very many values, NUL and lone surrogates; most documents need no walk."""
    if text.count(",", start, end) > VALUES_MAX:
        raise Problem("too-many-values", f"the document has more than {VALUES_MAX} values")
    if _ESCAPED.search(text, start, end) is not None:
        for value in _walk(document):
            if isinstance(value, str):
                _check_text(value)


def _walk(document: Any) -> Iterator[Any]:
    """Yield every key and value, without recursion."""
    waiting: list[Any] = [document]
    while waiting:
        value = waiting.pop()
        yield value
        if isinstance(value, dict):
            waiting += [part for pair in value.items() for part in pair]
        elif isinstance(value, list):
            waiting += value


def _check_text(value: str) -> None:
    """Refuse NUL and lone surrogates."""
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise Problem("invalid-text", "a string holds a NUL or a lone surrogate")


def _too_deep() -> Problem:
    """Say that a document is nested too deep."""
    return Problem("too-deep", "the document is nested too deep to be read")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, refusing duplicate keys and very many fields."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = sorted(key for key, _ in pairs)
        twice = next(key for key, following in pairwise(keys) if key == following)
        raise Problem("duplicate-key", f"the key {printable(twice)} stands twice")
    if len(pairs) > FIELDS_MAX:
        raise Problem("too-many-values", f"an object has more than {FIELDS_MAX} fields")
    return found


def _no_float(text: str) -> NoReturn:
    """Refuse a number with a fraction or an exponent, NaN and Infinity."""
    raise Problem("number-not-exact", f"{printable(text)} is no whole number; "
                  'amounts are decimal strings such as "430.00"')  # fmt: skip


def printable(text: str, size: int = 120) -> str:
    """Return a text that can be shown in a problem: short, without lone surrogates."""
    shown = text if len(text) <= size else text[:size] + "…"
    return shown.encode("utf-8", "backslashreplace").decode()


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_no_float, parse_constant=_no_float
)
_LENIENT = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def json_response(document: Any, status: int = 200, headers: dict[str, str] | None = None,
                  media: str = JSON) -> Response:  # fmt: skip
    """Answer JSON: keys in the order given, the same bytes for the same document."""
    return Response(orjson.dumps(document), status, headers, media)
