"""`qazyna load` and `qazyna post`: what changes the ledger."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from api import client
from api.assembly import running
from api.cli import show
from api.cli.options import Atomic, Home, Json, RetryRefused, Url, settings_of
from api.cli.outcome import Exit, exit_of_status, line
from api.doors import HttpDoor, LedgerDoor
from api.home import Place, database
from api.load import LoadReport, Mapping, default_files, load, read_mapping
from api.settings import Settings
from ledger.errors import Invalid

BATCH = 10_000
"""Most commands of one request."""
BATCH_BYTES = 15_000_000
SHOWN = 20
"""Most accepted commands that are listed one by one."""
ARRAY = "application/json"


def load_files(
    mapping: Annotated[Path, typer.Argument(metavar="MAPPING.toml", show_default=False,
                                            help="What the files mean (deploy/mappings)")],
    files: Annotated[list[Path] | None, typer.Argument(
        metavar="FILE…", show_default=False, help="Tables; without any those the mapping names")
    ] = None,
    *,
    url: Url = None,
    home: Home = None,
    atomic: Atomic = False,
    retry: RetryRefused = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Load tables by a mapping; loading them again changes nothing.

    A bad row is named by file, line and column; a document with one is refused whole, rows that
    are commands of their own fail alone.
    """
    declared = read_mapping(mapping)
    given = files or default_files(declared, mapping)

    async def through(door: HttpDoor | LedgerDoor) -> LoadReport:
        with show.progress(declared.name, quiet=as_json) as tell:
            return await load(declared, given, door, atomic=atomic, retry=retry, progress=tell)

    if url is not None:
        report = asyncio.run(_load_remote(url, through))
    else:
        settings = settings_of(home)
        with database(settings, create=True) as place:
            _tell_guest(settings, place)
            report = asyncio.run(_load_inside(settings, place, declared, through))
    if as_json:
        show.emit(report.document())
    else:
        _show_load(report)
    raise typer.Exit(Exit.OK if report.ok else Exit.REFUSED)


async def _load_remote(url: str, through: Any) -> LoadReport:
    """Load over HTTP."""
    async with client.remote(url) as service:
        report: LoadReport = await through(HttpDoor(service))
    return report


async def _load_inside(
    settings: Settings, place: Place, mapping: Mapping, through: Any
) -> LoadReport:
    """Load in this process; an empty ledger takes the mapping's jurisdiction."""
    async with running(place.settings(settings), jurisdiction=mapping.jurisdiction) as parts:
        report: LoadReport = await through(LedgerDoor(parts))
    return report


def _tell_guest(settings: Settings, place: Place) -> None:
    """Say that another process serves the home already."""
    if not place.owner and settings.database_url is None:
        show.note(f"note: another process serves {settings.home}; posting beside it "
                  "(--url URL posts through it)")  # fmt: skip


def _show_load(report: LoadReport) -> None:
    """Show what a load did: counts, control totals, then everything that went wrong."""
    show.say(f"{report.mapping}: {report.commands} commands from {len(report.files)} file(s)")
    counts = {"accepted": report.accepted, "replayed": report.replayed,
              "refused": len(report.refused), "withheld": report.withheld,
              "bad rows": len(report.bad_rows)}  # fmt: skip
    show.table(list(counts), [[str(count) for count in counts.values()]], right=list(counts))
    if report.controls:
        show.say("")
        write = show.Amounts([c.published for c in report.controls])
        rows = [[c.name, write(c.published), _amount(c.found), "=" if c.holds else "DIFFERS"]
                for c in report.controls]  # fmt: skip
        show.table(["control total", "published", "in the ledger", ""], rows,
                   right=["published", "in the ledger"])  # fmt: skip
    for text in report.notes:
        show.say(f"note: {text}")
    for bad in report.bad_rows:
        show.note(f"{_where(bad.file, bad.line, bad.column)}: {bad.reason}")
    for refused in report.refused:
        show.note(f"{refused.place}: {refused.command} refused, {refused.code}: {refused.message}")


def _amount(text: str) -> str:
    """Write a found figure, which may be no figure at all."""
    try:
        return show.Amounts([text])(text)
    except ArithmeticError:
        return text


def _where(file: str, number: int, column: str) -> str:
    """Write a place as file:line:column, without what is not known."""
    return ":".join([file, *([str(number)] if number else []), *([column] if column else [])])


def post(
    file: Annotated[str, typer.Argument(
        metavar="[FILE|-]", help="A command, an array or NDJSON; - reads standard input")] = "-",
    *,
    url: Url = None,
    home: Home = None,
    atomic: Atomic = False,
    receipt: Annotated[Path | None, typer.Option(
        "--receipt", metavar="FILE", show_default=False,
        help="Write a signed receipt for each answer, refusals included, one after the other")
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Post commands; the same command again repeats its first answer."""
    body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    if not body.strip():
        raise Invalid("there is no command to post")
    found = post_body(body, url, home, atomic=atomic, receipt=receipt is not None)
    missing = _write_receipts(receipt, found) if receipt is not None else 0
    if as_json:
        show.emit(found[0] if _is_single(body) else found)
    else:
        _show_verdicts(found)
    worst = max(exit_of_status(_status(verdict)) for verdict in found)
    raise typer.Exit(max(worst, Exit.RETRY) if missing else worst)


def post_body(
    body: bytes, url: str | None, home: Path | None, *, atomic: bool = False, receipt: bool = False
) -> list[dict[str, Any]]:
    """Post commands over HTTP or in this process; return a verdict for each, in order."""
    if url is not None:
        return asyncio.run(_post_remote(url, body, atomic=atomic, receipt=receipt))
    settings = settings_of(home)
    with database(settings, create=True) as place:
        return asyncio.run(_post_inside(settings, place, body, atomic=atomic, receipt=receipt))


def _write_receipts(file: Path, found: list[dict[str, Any]]) -> int:
    """Write the receipts of the answers, take them out of them, and tell how many are missing."""
    papers = [verdict.pop("receipt") for verdict in found if "receipt" in verdict]
    file.write_text("".join(paper for paper in papers if paper), encoding="utf-8", newline="")
    missing = papers.count(None)
    if missing:
        show.note(f"{missing} receipt(s) cannot be made now: post the same commands again")
    return missing


async def _post_remote(
    url: str, body: bytes, *, atomic: bool, receipt: bool
) -> list[dict[str, Any]]:
    """Post over HTTP."""
    async with client.remote(url) as service:
        return await _posted(service, body, atomic=atomic, receipt=receipt)


async def _post_inside(
    settings: Settings, place: Place, body: bytes, *, atomic: bool, receipt: bool
) -> list[dict[str, Any]]:
    """Post in this process."""
    async with client.inside(settings, place) as service:
        return await _posted(service, body, atomic=atomic, receipt=receipt)


async def _posted(
    service: httpx.AsyncClient, body: bytes, *, atomic: bool, receipt: bool
) -> list[dict[str, Any]]:
    """Return a verdict for each command of a body, in order."""
    found: list[dict[str, Any]] = []
    for batch, media in _requests(body, whole=atomic):
        answers = await client.verdicts(service, batch, media, atomic=atomic, receipt=receipt)
        for verdict in answers:
            if "item" in verdict:
                verdict["item"] += len(found)
        found += answers
    return found


def _requests(body: bytes, *, whole: bool) -> Iterator[tuple[bytes, str]]:
    """Split a body into requests that the service takes; an array and a `whole` stay one."""
    if body.lstrip()[:1] == b"[":
        yield body, ARRAY
        return
    if _is_single(body):  # a line end stands only between the parts of a JSON document
        yield b" ".join(body.splitlines()), client.NDJSON
        return
    batch: list[bytes] = []
    size = 0
    for text in body.split(b"\n"):
        if not text.strip():
            continue
        if batch and not whole and (len(batch) >= BATCH or size + len(text) > BATCH_BYTES):
            yield b"\n".join(batch), client.NDJSON
            batch, size = [], 0
        batch.append(text)
        size += len(text) + 1
    yield b"\n".join(batch), client.NDJSON


def _is_single(body: bytes) -> bool:
    """Tell whether a body is one document, neither an array nor a document a line."""
    if body.lstrip()[:1] == b"[":
        return False
    filled = [text.strip() for text in body.split(b"\n") if text.strip()]
    return len(filled) == 1 or not all(
        text[:1] == b"{" and text[-1:] == b"}" for text in filled[:2]
    )


def _status(verdict: dict[str, Any]) -> int:
    """Return the HTTP status of a verdict; an accepted one has a word instead."""
    status = verdict.get("status")
    return status if isinstance(status, int) else 200


def _show_verdicts(found: list[dict[str, Any]]) -> None:
    """Show each verdict of a few commands, the refused ones and a count of many."""
    accepted = [verdict for verdict in found if _status(verdict) < 400]  # noqa: PLR2004 - HTTP
    for verdict in accepted if len(accepted) <= SHOWN else ():
        flags = f", warned: {', '.join(verdict['flags'])}" if verdict.get("flags") else ""
        again = ", replayed" if verdict["replayed"] else ""
        show.say(
            f"accepted {verdict['budget']}:{verdict['position']} "
            f"({verdict['events']} event(s){again}{flags}) {verdict['command_id']}"
        )
    for verdict in found:
        if _status(verdict) >= 400:  # noqa: PLR2004 - HTTP
            place = f"command {verdict['item']}: " if len(found) > 1 else ""
            show.note(f"{place}{line(verdict)}")
    if len(accepted) > SHOWN:
        replayed = sum(bool(verdict["replayed"]) for verdict in accepted)
        show.say(f"{len(accepted)} accepted ({replayed} of them replayed), "
                 f"{len(found) - len(accepted)} refused or not read")  # fmt: skip
