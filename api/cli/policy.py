"""`qazyna policy`: one file that says whom to trust, for the notary, its witnesses and auditors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.assembly import keys_of
from api.cli import show
from api.cli.options import Home, settings_of
from api.settings import Settings
from ledger.errors import Invalid
from ledger.proofs.keeping import write_whole
from ledger.proofs.policy import Policy
from ledger.proofs.verify import Key, ProofError


def policy(
    *,
    home: Home = None,
    witness: Annotated[list[str] | None, typer.Option(
        "--witness", metavar="'VKEY URL'", show_default=False,
        help="A witness: its public key and where it is asked; repeat for each")] = None,
    quorum: Annotated[int, typer.Option(
        "--quorum", min=0, help="How many of the witnesses a checkpoint needs")] = 0,
    out: Annotated[Path | None, typer.Option(
        "--out", metavar="FILE", show_default=False, help="A file instead of standard output"
    )] = None,
) -> None:  # fmt: skip
    """Write the policy file (C2SP tlog-policy) of this ledger and its witnesses.

    Makes the key of a ledger that has none yet, for the name in QAZYNA_ORIGIN.
    """
    lines = [f"log {key.text}" for key in _keys(settings_of(home))]
    try:
        parties = [(Key.parse(text.partition(" ")[0]), text.partition(" ")[2])
                   for text in witness or ()]  # fmt: skip
        lines += [f"witness {key.name} {key.text} {url}".rstrip() for key, url in parties]
        if quorum:
            names = " ".join(key.name for key, _ in parties)
            lines += [f"group enough-witnesses {quorum} {names}".rstrip()]
        lines += [f"quorum {'enough-witnesses' if quorum else 'none'}"]
        raw = "".join(f"{line}\n" for line in lines).encode()
        Policy.parse(raw)
    except ProofError as error:
        raise Invalid(str(error)) from error
    if out is None:
        show.say(raw.decode().rstrip("\n"))
    else:
        write_whole(out, raw)


def _keys(settings: Settings) -> list[Key]:
    """Return the ledger's public keys; make the first one. Raises `Invalid`, `Broken`."""
    keys = keys_of(settings)
    if not keys.exist():
        if settings.origin is None:
            raise Invalid(f"there is no key in {keys.path}: QAZYNA_ORIGIN names a new log")
        with keys.held():
            keys.create(settings.origin)
    return keys.public()
