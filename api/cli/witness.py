"""`qazyna witness`: a witness for logs, which needs no ledger and no database."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer

from api.cli import show
from api.cli.listening import Server, bind, url_of
from api.cli.options import Json
from api.witness import create_witness
from ledger.errors import Broken, Invalid, LedgerError, Unavailable
from ledger.proofs.policy import Policy
from ledger.proofs.verify import Key, ProofError
from ledger.proofs.witness import Witness


def witness(
    *,
    home: Annotated[Path, typer.Option(
        "--home", metavar="DIR", help="Folder of the witness: its key and what it cosigned last")],
    policy: Annotated[Path | None, typer.Option(
        "--policy", metavar="FILE", show_default=False,
        help="Policy file (C2SP tlog-policy): its `log` lines are the logs to cosign")] = None,
    name: Annotated[str | None, typer.Option(
        "--name", show_default=False,
        help="Name of the key, such as witness.example/1; needed when the key is made")] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(
        "--port", min=0, max=65535, help="Port to listen on; 0 picks a free one")] = 8001,
    show_key: Annotated[bool, typer.Option(
        "--show-key", help="Write the public key and end; makes the key where there is none"
    )] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Cosign the checkpoints of logs while their trees only grow (C2SP tlog-witness).

    Serves until SIGTERM or SIGINT. The key and the last size of each log live in --home; keep it
    for ever, and never restore it from a backup: a witness that forgets is worth nothing.
    """
    try:
        logs = _logs(policy) if policy is not None else []
        if not logs and not show_key:
            raise Invalid("a witness needs --policy with a line `log <vkey>` for each log")
        with Witness(home, logs, name) as kept:
            if show_key:
                show.say(kept.signer.key.text)
            else:
                _serve(kept, host, port, as_json=as_json)
    except ProofError as error:
        raise _problem(error) from error


def _logs(path: Path) -> list[Key]:
    """Read the keys of the logs from a policy file."""
    return [log.key for log in Policy.parse(path.read_bytes()).logs]


def _problem(error: ProofError) -> LedgerError:
    """Return the error of the command line: what to mend, what to wait for, what is damaged."""
    kind = {"in-use": Unavailable, "state": Broken, "key": Broken}.get(error.code, Invalid)
    return kind(f"{error}: give --name" if error.code == "no-key" else str(error))


def _serve(kept: Witness, host: str, port: int, *, as_json: bool) -> None:
    """Serve until a signal comes."""
    logging.getLogger("api.witness").setLevel(logging.INFO)
    listening = bind(host, port)
    try:
        url = url_of(listening)
        told = f"The witness {kept.signer.key.name} is ready at {url} for {', '.join(kept.logs)}"
        if as_json:
            told = show.one_line({"url": url, "key": kept.signer.key.text, "logs": [*kept.logs]})
        server = Server(create_witness(kept), told)
        with server.signals():
            asyncio.run(server.serve([listening]))
    finally:
        listening.close()
