"""`qazyna checkpoint`, `proof`, `consistency`: evidence to take along; `keys`: who signs it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from api import client
from api.assembly import keys_of
from api.cli import show
from api.cli.options import Home, Json, Url, settings_of
from api.cli.outcome import EPILOG
from api.cli.reading import ask
from api.client import RemoteProblem
from api.home import database
from api.settings import Settings
from ledger.errors import Invalid, NotFound
from ledger.proofs.verify import Checkpoint
from ledger.store.evidence import Evidence, SignedHead
from ledger.store.pool import Database

keys = typer.Typer(help="The notary's signing keys: show, rotate, retire.", epilog=EPILOG,
                   no_args_is_help=True, rich_markup_mode=None)  # fmt: skip
Out = Annotated[Path | None, typer.Option(
    "--out", metavar="FILE", show_default=False, help="A file instead of standard output")
]  # fmt: skip
Size = Annotated[int | None, typer.Option(
    "--size", min=1, show_default=False, help="Of a checkpoint; the newest without it")
]  # fmt: skip
PROOFS = "/v1/proofs"


def checkpoint(
    *, size: Size = None, out: Out = None, url: Url = None, home: Home = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write the newest signed checkpoint, or that of a tree size, as it was signed.

    Standard error says so when no quorum of witnesses has cosigned it.
    """
    found = ask(home, url, lambda service: _checkpoint(service, size))
    if as_json:
        show.emit(found)
        return
    if not found["witnessed"]:
        show.note(f"the checkpoint of {found['size']} events has no quorum of witnesses")
    _write(found["note"].encode(), out)


def proof(
    event: Annotated[str, typer.Argument(
        metavar="EVENT", help="A sequence, or BUDGET:POSITION as postings answer")],
    *, size: Size = None, out: Out = None, url: Url = None, home: Home = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Write the .tlog-proof of an event: leaf, siblings and signed checkpoint in one file.

    `python -m ledger.proofs.verify proof FILE --key KEY` checks it without this ledger.
    """
    asked = {**_place(event), "size": size}
    if as_json:
        show.emit(ask(home, url, lambda to: client.get(to, f"{PROOFS}/inclusion", asked)))
        return
    path = f"{PROOFS}/inclusion.tlog-proof"
    _write(ask(home, url, lambda service: _text(service, path, asked)), out)


def consistency(
    old: Annotated[int, typer.Argument(min=0, metavar="OLD", help="Leaves of the smaller tree")],
    new: Annotated[int | None, typer.Argument(
        min=1, metavar="[NEW]", show_default=False, help="The newest without it")] = None,
    *, out: Out = None, url: Url = None, home: Home = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Write the proof that one checkpoint's tree is the beginning of another's."""
    asked = {"old": old, "new": new}
    if as_json:
        show.emit(ask(home, url, lambda to: client.get(to, f"{PROOFS}/consistency", asked)))
        return
    path = f"{PROOFS}/consistency.txt"
    _write(ask(home, url, lambda service: _text(service, path, asked)), out)


def _place(event: str) -> dict[str, Any]:
    """Return the parameters that name an event. Raises `Invalid`."""
    budget, parted, number = event.rpartition(":")
    if not number.isascii() or not number.isdigit():
        raise Invalid(f"{event!r} is neither a sequence nor BUDGET:POSITION")
    return {"budget": budget, "position": int(number)} if parted else {"sequence": int(number)}


async def _text(service: httpx.AsyncClient, path: str, asked: dict[str, Any]) -> bytes:
    """Return a text answer. Raises `RemoteProblem`."""
    given = {name: value for name, value in asked.items() if value is not None}
    answer = await service.get(path, params=given)
    if not answer.is_success:
        raise RemoteProblem(client.problem(answer))
    return answer.content


async def _checkpoint(service: httpx.AsyncClient, size: int | None) -> dict[str, Any]:
    """Return one checkpoint as the service lists it."""
    if size is None:
        text = await _text(service, "/checkpoint", {})
        size = Checkpoint.parse(text.rpartition(b"\n\n")[0] + b"\n").size
    found: dict[str, Any] = await client.get(service, f"/v1/checkpoints/{size}", {})
    return found


def _write(raw: bytes, out: Path | None) -> None:
    """Write a text that must stay as it is, byte for byte."""
    if out is not None:
        out.write_bytes(raw)
        return
    sys.stdout.buffer.write(raw)
    sys.stdout.buffer.flush()


@keys.command("show", epilog=EPILOG)
def show_keys(*, home: Home = None, as_json: Json = False) -> None:
    """Show the public keys, which of them sign, and the last checkpoint that was signed."""
    held = keys_of(settings_of(home))
    signing = {signer.key for signer in held.signers()}
    kept = held.kept()
    found = {
        "origin": held.origin, "file": str(held.path),
        "keys": [{"id": key.id.hex(), "vkey": key.text, "signs": key in signing}
                 for key in held.public()],
        "last_signed": {"size": kept.size, "root": kept.root.hex()} if kept else None,
    }  # fmt: skip
    if as_json:
        show.emit(found)
        return
    for key in held.public():
        show.say(f"{'signs ' if key in signing else 'retired'} {key.text}")
    show.say(f"last signed: {kept.size} events" if kept else "nothing is signed yet")


@keys.command(epilog=EPILOG)
def rotate(*, home: Home = None, as_json: Json = False) -> None:
    """Add a new key: old and new both sign from the next checkpoint on; a service goes on."""
    _tell(keys_of(settings_of(home)).rotate().text, "signs from now on, too", as_json=as_json)


@keys.command(epilog=EPILOG)
def retire(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Of `keys show`: 8 hex digits")],
    *, home: Home = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Destroy the secret of one of several keys; its public half stays, to verify."""
    found = keys_of(settings_of(home)).retire(identifier)
    _tell(found.text, "signs no more", as_json=as_json)


@keys.command(epilog=EPILOG)
def accept(*, home: Home = None, as_json: Json = False) -> None:
    """Take the newest published checkpoint as the last signed, where its file is lost.

    Only after making sure that no newer one was published: ask the witnesses and auditors.
    """
    settings = settings_of(home)
    held, head = keys_of(settings), _published(settings)
    with held.held():
        size = held.accept(head.note)
    _tell(str(held.kept_path), f"holds the checkpoint of {size} events", as_json=as_json)


@keys.command("new", epilog=EPILOG)
def new_key(*, home: Home = None, as_json: Json = False) -> None:
    """Make a key where the key file of a log that has signed is lost; auditors must be told.

    It signs the newest published tree first. A log that never signed gets its key by itself.
    """
    settings = settings_of(home)
    held, head = keys_of(settings), _published(settings)
    with held.held():
        key = held.renew(head.note)
    _tell(key.text, "is the new key: publish it", as_json=as_json)


def _published(settings: Settings) -> SignedHead:
    """Return the newest checkpoint in the database. Raises `NotFound`."""

    async def work(dsn: str) -> SignedHead | None:
        pool = Database(dsn)
        await pool.open(size=1)
        try:
            return await Evidence(pool).checkpoint()
        finally:
            await pool.close()

    with database(settings) as place:
        head = asyncio.run(work(place.dsn))
    if head is None:
        raise NotFound("unknown-checkpoint", "no checkpoint is published yet")
    return head


def _tell(subject: str, what: str, *, as_json: bool) -> None:
    """Say what was done to a key or file."""
    if as_json:
        show.emit({"done": what, "key": subject})
    else:
        show.say(f"{subject} {what}")
