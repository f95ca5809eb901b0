"""`qazyna erase` and `qazyna annex`: personal data beside the log, destroyed or disclosed.

Disclosure and search need a login that may become `qazyna_annex`; they have no HTTP route.
"""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import orjson
import typer

from api.cli import show
from api.cli.options import Home, Json, Url, settings_of
from api.cli.outcome import EPILOG, Exit, exit_of_status
from api.cli.posting import post_body
from api.home import database, settle
from ledger.proofs.annex import main as verify_main
from ledger.store.annex import annex_differences, disclose, find_value, shred_annex
from ledger.terms import PERSONAL

annex = typer.Typer(help="Personal data beside the log.", epilog=EPILOG,
                    no_args_is_help=True, rich_markup_mode=None)  # fmt: skip
Code = Annotated[str, typer.Option("--budget", metavar="CODE", help="Budget of the command")]


def erase(  # noqa: PLR0913 - who, why, on what ground: each is asked for
    command_id: Annotated[UUID, typer.Argument(metavar="COMMAND_ID", help="Whose annex to erase")],
    *,
    budget: Code,
    actor: Annotated[str, typer.Option("--actor", metavar="ID", help="Who orders it")],
    capacity: Annotated[str, typer.Option("--capacity", help="In which capacity")] = "treasury",
    act: Annotated[str, typer.Option("--act", help="The order or decision behind it")],
    act_date: Annotated[str, typer.Option("--act-date", metavar="DAY", help="Its day")],
    reason: Annotated[str, typer.Option("--reason", help="The ground in law")],
    field: Annotated[list[str] | None, typer.Option(
        "--field", show_default=False,
        help=f"Only these; all without it: {', '.join(sorted(PERSONAL))}")] = None,
    id_: Annotated[UUID | None, typer.Option(
        "--command-id", show_default=False, help="Id of the order, to repeat it safely")] = None,
    url: Url = None,
    home: Home = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Destroy personal values of a command; hashes, chain and proofs stay valid.

    The order itself is an event. `qazyna annex shred` then rewrites the table's file; write-ahead
    log and backups hold the values until they are rotated (docs/decisions/0011).
    """
    order = {
        "command": "EraseAnnex", "command_id": str(id_ or uuid4()), "budget": budget,
        "actor": {"id": actor, "capacity": capacity}, "reason": reason,
        "act": {"id": act, "date": date.fromisoformat(act_date).isoformat()},
        "erased_command": str(command_id), "fields": field or [],
    }  # fmt: skip
    [verdict] = post_body(orjson.dumps(order), url, home)
    status = verdict["status"] if isinstance(verdict["status"], int) else 200
    if as_json:
        show.emit(verdict)
    elif exit_of_status(status) is Exit.OK:
        show.say(f"erased; the order is {verdict['budget']}:{verdict['position']}")
    else:
        show.note(f"{verdict['code']}: {verdict['detail']}")
    raise typer.Exit(exit_of_status(status))


@annex.command("disclose", epilog=EPILOG)
def disclosed(
    command_id: Annotated[UUID, typer.Argument(metavar="COMMAND_ID")],
    *,
    budget: Code,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", show_default=False)] = None,
    home: Home = None,
) -> None:
    """Write what opens a command's commitments, for an auditor with the right to see it."""
    found = _with_database(home, lambda dsn: disclose(dsn, budget, command_id)).encode()
    if out is None:
        show.say(found.decode().rstrip("\n"))
    else:
        out.touch(mode=0o600)
        out.write_bytes(found)


@annex.command("find", epilog=EPILOG)
def find(
    value: Annotated[str, typer.Argument(help="A name or number, exactly as it was posted")],
    *,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Name the commands whose annex holds a value: what a person's request is about."""
    found = _with_database(home, lambda dsn: find_value(dsn, value))
    if as_json:
        show.emit([{"budget": code, "command_id": str(command), "field": field}
                   for code, command, field in found])  # fmt: skip
        return
    for code, command, field in found:
        show.say(f"{code} {command} {field}")


@annex.command("verify", epilog=EPILOG)
def verified(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A disclosure")],
    *,
    proof: Annotated[Path | None, typer.Option(
        "--proof", metavar="FILE", show_default=False, help="A .tlog-proof of the event")] = None,
    key: Annotated[list[str] | None, typer.Option(
        "--key", metavar="VKEY", show_default=False, help="A key of the log")] = None,
) -> None:  # fmt: skip
    """Verify a disclosure without service or network: values against the body, body in the tree."""
    arguments = [str(file), *(["--proof", str(proof)] if proof else [])]
    for one in key or ():
        arguments += ["--key", one]
    raise typer.Exit(verify_main(arguments))


@annex.command("check", epilog=EPILOG)
def checked(*, home: Home = None, as_json: Json = False) -> None:
    """Compare the annex with the commitments in the log; silent when all is well."""
    found = _with_database(home, annex_differences)
    if as_json:
        show.emit({"ok": not found, "findings": found})
    else:
        for one in found:
            show.say(one)
    raise typer.Exit(Exit.REFUSED if found else Exit.OK)


@annex.command("shred", epilog=EPILOG)
def shred(*, home: Home = None) -> None:
    """Rewrite the annex's file, so that nothing that was erased is left in it."""
    _with_database(home, shred_annex)


def _with_database(home: Path | None, work: Any) -> Any:
    """Run work on the database of the settings."""
    settings = settings_of(home)
    with database(settings) as place:

        async def whole() -> Any:
            await settle(settings, place.dsn)
            return await work(place.dsn)

        return asyncio.run(whole())
