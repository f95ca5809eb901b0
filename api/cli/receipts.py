"""`qazyna receipt`: verify receipts of answers offline, redeem them for proofs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, NoReturn

import httpx
import typer

from api import client
from api.cli import show
from api.cli.options import Home, Json, Url
from api.cli.outcome import EPILOG, Exit
from api.cli.reading import ask
from ledger.dates import to_iso
from ledger.proofs.receipts import Receipt, split_receipts
from ledger.proofs.verify import (
    INCLUSION,
    Key,
    ProofError,
    Trust,
    leaf_hash,
    read_proof,
    verify_inclusion,
)

ACCUSED = 3
"""Exit code where the service is convicted, as that of the verifier."""
PROOF = "/v1/proofs/inclusion.tlog-proof"
receipts = typer.Typer(help="The service's signed word on what it answered.", epilog=EPILOG,
                       no_args_is_help=True, rich_markup_mode=None)  # fmt: skip
File = Annotated[Path, typer.Argument(metavar="FILE", help="One receipt or several")]
Keys = Annotated[list[str], typer.Option(
    "--key", metavar="VKEY", help="A key that signs receipts: GET /v1/receipts/key; repeatable"
)]  # fmt: skip


@receipts.command("verify", epilog=EPILOG)
def verify(file: File, *, key: Keys, as_json: Json = False) -> None:
    """Verify receipts without service or network, and say what they promise."""
    try:
        found = _opened(file, key)
    except ProofError as error:
        _deny(error)
    if as_json:
        show.emit([{"origin": one.origin, "signed_at": to_iso(one.signed_at), "answer": one.answer}
                   for one in found])  # fmt: skip
        return
    for one in found:
        show.say(_told(one))


@receipts.command("redeem", epilog=EPILOG)
def redeem(
    file: File, *, key: Keys,
    log_key: Annotated[list[str], typer.Option(
        "--log-key", metavar="VKEY", help="A key of the log that signs its checkpoints")],
    out: Annotated[Path, typer.Option(
        "--out", metavar="DIR", help="Folder for the .tlog-proof files")] = Path(),
    url: Url = None, home: Home = None,
) -> None:  # fmt: skip
    """Exchange receipts for proofs from the log's tree, and see that each promise was kept.

    Ends with 3 where the tree holds another event than the receipt promised: receipt and proof
    together then convict the service.
    """
    try:
        found = [one for one in _opened(file, key) if one.envelope is not None]
        keys = tuple(Key.parse(text) for text in log_key)
        trust = Trust(keys, keys[0].name)
    except ProofError as error:
        _deny(error)
    papers: list[bytes] = ask(home, url, lambda service: _proofs(service, found))
    for receipt, paper in zip(found, papers, strict=True):
        place = f"{receipt.answer['budget']}:{receipt.answer['position']}"
        target = out / f"{place.replace(':', '-')}.tlog-proof"
        target.write_bytes(paper)
        try:
            size = _check(receipt, paper, trust)
        except ProofError as error:
            if error.code != "broken-promise":
                _deny(error)
            show.note(f"!!! ALARM ({error.code}): {error}\n!!! Keep {file} and {target}: both are "
                      "signed by the service")  # fmt: skip
            raise typer.Exit(ACCUSED) from None
        show.say(f"OK {place} stands in the tree of {size} events of {trust.origin}: {target}")


def _opened(file: Path, keys: list[str]) -> list[Receipt]:
    """Return the verified receipts of a file. Raises `ProofError`."""
    known = [Key.parse(text) for text in keys]
    return [Receipt.open(raw, known) for raw in split_receipts(file.read_bytes())]


async def _proofs(service: httpx.AsyncClient, found: list[Receipt]) -> list[bytes]:
    """Ask for the proof of each receipt's event, waiting while it is not in a signed tree yet."""
    papers = []
    for receipt in found:
        place = {"budget": receipt.answer["budget"], "position": receipt.answer["position"]}
        for _ in range(WAITS):
            response = await service.get(PROOF, params=place)
            if response.status_code != httpx.codes.NOT_FOUND:
                break
            await asyncio.sleep(WAIT_SECONDS)
        if not response.is_success:
            raise client.RemoteProblem(client.problem(response))
        papers.append(response.content)
    return papers


WAITS, WAIT_SECONDS = 50, 0.1
"""A checkpoint is signed at most every second."""


def _check(receipt: Receipt, raw: bytes, trust: Trust) -> int:
    """Raise unless the proof is signed and of the promised event; return the tree's size."""
    index, hashes, note, leaf = read_proof(raw, INCLUSION)
    head = trust.open(note)
    verify_inclusion(index, head.size, leaf_hash(leaf), hashes, head.root)
    receipt.redeem(leaf)
    return head.size


def _deny(error: ProofError) -> NoReturn:
    """Say that nothing is proven, and end."""
    show.note(f"NOT VERIFIED ({error.code}): {error}")
    raise typer.Exit(Exit.REFUSED) from None


def _told(receipt: Receipt) -> str:
    """Write a receipt for people: one line, then the broken limits in minor units."""
    answer = receipt.answer
    place = f"{answer['budget']}:{answer['position']}" if answer["position"] else answer["budget"]
    told = (f"OK {answer['status']} {place} {answer['command_id']}, recorded "
            f"{to_iso(answer['recorded_at'])}, signed by {receipt.keys[0].name} at "
            f"{to_iso(receipt.signed_at)}")  # fmt: skip
    refusal = answer["refusal"]
    if refusal is None:
        return told
    law = f" [{refusal['law']}]" if refusal["law"] else ""
    lines = [f"  {refusal['code']} (rule {refusal['rule']}){law}: {refusal['message']}"]
    lines += [f"  {one['limit']} of {one['subject']} on {one['day']}: asked {one['asked_minor']}, "
              f"available {one['available_minor']}" for one in refusal["limits"]]  # fmt: skip
    return "\n".join([told, *lines])
