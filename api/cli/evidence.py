"""`qazyna evidence`: a report as a bundle; `qazyna verify`: a bundle, with nobody's help."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import quote
from zipfile import ZIP_STORED, ZipFile

import httpx
import typer

from api import client
from api.cli import show
from api.cli.options import Home, Json, Url
from api.cli.outcome import EPILOG, Exit
from api.cli.reading import ask
from api.cli.reports import Adopted, Code, Effective, Known
from ledger.proofs import verify as proofs
from ledger.proofs.verify import (
    Checked,
    ProofError,
    Trust,
    check_report,
    prove,
    reading,
    require,
)

bundles = typer.Typer(help="Write a report with everything it rests on into one file.",
                      epilog=EPILOG, no_args_is_help=True, rich_markup_mode=None)  # fmt: skip
MANIFEST_BYTES_MAX = 1 << 20
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The bundle, a zip")]
Keys = Annotated[list[str] | None, typer.Option(
    "--key", metavar="VKEY", show_default=False,
    help="The log's public key, as the treasury prints it; again after a rotation")]  # fmt: skip
State = Annotated[Path | None, typer.Option(
    "--state", metavar="FILE", show_default=False,
    help="Where the last checkpoint seen is remembered")]  # fmt: skip
Witnesses = Annotated[list[str] | None, typer.Option(
    "--witness", metavar="VKEY", show_default=False, help="Public key of a trusted witness")
]  # fmt: skip
Quorum = Annotated[int, typer.Option(
    "--quorum", min=0, help="How many of the witnesses must have signed")]  # fmt: skip


@bundles.command(epilog=EPILOG)
def execution(  # noqa: PLR0913 - the filters of a historical question
    budget: Code,
    *,
    out: Out,
    effective: Effective = None,
    adopted: Adopted = None,
    known: Known = None,
    level: Annotated[int | None, typer.Option(
        "--level", min=1, max=9, show_default=False, help="Depth of the rows, 1 = section")] = None,
    prefix: Annotated[list[str] | None, typer.Option(
        "--prefix", metavar="CODE", show_default=False,
        help="One branch: repeat for each code of its path")] = None,
    by: Annotated[str | None, typer.Option(
        "--by", metavar="DIMENSION", show_default=False, help="Cut across")] = None,
    url: Url = None,
    home: Home = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Keep the execution report with its events, proofs and checkpoint."""
    asked = {"effective": effective, "adopted": adopted, "known": known, "level": level,
             "prefix": prefix, "by": by}  # fmt: skip
    _keep(f"{client.EXECUTION.format(budget=budget)}.zip", asked, out, url, home, as_json=as_json)


@bundles.command(epilog=EPILOG)
def transfers(
    budget: Code,
    *,
    out: Out,
    adopted: Adopted = None,
    known: Known = None,
    url: Url = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Keep the pairing of transfers with both sides' events."""
    asked = {"adopted": adopted, "known": known}
    _keep(f"{client.TRANSFERS.format(budget=budget)}.zip", asked, out, url, home, as_json=as_json)


@bundles.command(epilog=EPILOG)
def account(
    budget: Code,
    name: Annotated[str, typer.Argument(metavar="ACCOUNT", show_default=False)],
    *,
    out: Out,
    url: Url = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Keep the statement of a special account with its events."""
    path = client.ACCOUNT.format(budget=budget, account=quote(name, safe=""))
    _keep(f"{path}/statement.zip", {}, out, url, home, as_json=as_json)


@bundles.command(epilog=EPILOG)
def warnings(
    budget: Code, *, out: Out, url: Url = None, home: Home = None, as_json: Json = False
) -> None:
    """Keep the flagged events with their evidence."""
    path = f"{client.WARNINGS.format(budget=budget)}.zip"
    _keep(path, {"limit": 1000}, out, url, home, as_json=as_json)


@bundles.command(epilog=EPILOG)
def exempt(
    budget: Code, *, out: Out, effective: Effective = None, url: Url = None, home: Home = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Keep what a sequestration may not touch, with its evidence."""
    path = f"{client.EXEMPT.format(budget=budget)}.zip"
    _keep(path, {"effective": effective}, out, url, home, as_json=as_json)


@bundles.command(epilog=EPILOG)
def lines(
    budget: Code, *, out: Out, url: Url = None, home: Home = None, as_json: Json = False
) -> None:
    """Keep the lines that a budget has used, with their evidence."""
    _keep(f"/v1/budgets/{budget}/lines.zip", {"limit": 1000}, out, url, home, as_json=as_json)


@bundles.command(epilog=EPILOG)
def history(  # noqa: PLR0913 - each names what the trail is followed for
    budget: Annotated[str | None, typer.Argument(
        metavar="[BUDGET]", show_default=False, help="One budget; all of them if none is named"
    )] = None,
    *,
    out: Out,
    line: Annotated[list[str] | None, typer.Option(
        "--line", metavar="CODE", show_default=False,
        help="A line or branch: repeat for each code of its path")] = None,
    contract: Annotated[str | None, typer.Option("--contract", show_default=False)] = None,
    account: Annotated[str | None, typer.Option("--account", show_default=False)] = None,
    actor: Annotated[str | None, typer.Option("--actor", show_default=False)] = None,
    act: Annotated[str | None, typer.Option("--act", show_default=False)] = None,
    after: Annotated[int, typer.Option("--after", min=0, help="After a sequence")] = 0,
    url: Url = None,
    home: Home = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Keep the audit trail with its events; a budget's needs those of who sent it transfers too."""
    asked = {"line": line, "contract": contract, "account": account, "actor": actor, "act": act,
             "after": after, "limit": 1000}  # fmt: skip
    path = f"/v1/budgets/{budget}/audit.zip" if budget else f"{client.TRAIL}.zip"
    _keep(path, asked, out, url, home, as_json=as_json)


def _keep(
    path: str, asked: Mapping[str, object], out: Path, url: str | None, home: Path | None, *,
    as_json: bool,
) -> None:  # fmt: skip
    """Ask for a bundle and write it, whole or not at all."""

    async def work(service: httpx.AsyncClient) -> bytes:
        given = {name: value for name, value in asked.items() if value not in (None, [], ())}
        response = await service.get(path, params=given)  # type: ignore[arg-type]
        if not response.is_success:
            client.answer(response)
        return response.content

    content = ask(home, url, work)
    fresh = out.with_name(f"{out.name}.new")
    fresh.write_bytes(content)
    fresh.replace(out)
    if as_json:
        show.emit({"file": str(out), "bytes": len(content)})
    else:
        show.say(f"{len(content)} bytes in {out}: qazyna verify {out} --key VKEY")


def verify(
    file: Annotated[Path, typer.Argument(metavar="BUNDLE", show_default=False)],
    *,
    key: Keys = None,
    origin: Annotated[str | None, typer.Option(
        "--origin", show_default=False, help="The log's name, if it is not the key's")] = None,
    witness: Witnesses = None,
    quorum: Quorum = 0,
    state: State = None,
    consistency: Annotated[Path | None, typer.Option(
        "--consistency", metavar="FILE", show_default=False,
        help="Proof that joins the remembered tree and the bundle's")] = None,
) -> None:  # fmt: skip
    """Recompute a bundle's every figure and hash, without service, database or network.

    Ends with 0 when all of it holds, 1 when nothing is proven, 3 when the log is to be accused.
    """
    arguments = ["bundle", str(file), "--quorum", str(quorum)]
    for name, values in (("--key", key or _own_keys(file)), ("--witness", witness)):
        arguments += [part for value in values or () for part in (name, value)]
    for name, value in (("--origin", origin), ("--state", state), ("--consistency", consistency)):
        arguments += [name, str(value)] if value is not None else []
    code = proofs.main(arguments, check)
    if code == Exit.OK and not key:
        show.note("The key was the bundle's own: a forger has one too. Compare it with the "
                  "treasury's printed one, or name that with --key.")  # fmt: skip
    raise typer.Exit(code)


def _own_keys(file: Path) -> list[str]:
    """Return the keys that a bundle names itself."""
    try:
        with reading("not a bundle"), ZipFile(file) as bundle:
            info = bundle.getinfo("bundle.json")
            plain = info.compress_type == ZIP_STORED and info.file_size <= MANIFEST_BYTES_MAX
            require(plain, "malformed", "its bundle.json is packed or too large")
            keys = [str(key) for key in json.loads(bundle.read(info)).get("keys", ())]
    except (ProofError, OSError) as error:
        show.note(f"NOT VERIFIED ({getattr(error, 'code', 'file')}): {error}")
        raise typer.Exit(Exit.REFUSED) from error
    if not keys:
        raise typer.BadParameter("the bundle names no key: give the log's", param_hint="--key")
    return keys


def check(options: Namespace, trust: Trust) -> Checked:
    """Verify a bundle and make its report again by the ledger's own domain, byte for byte."""
    from api.recomputed import recompute  # noqa: PLC0415 - half a second that errors need not wait

    head, manifest, report, logs = prove(options.file, trust)
    if recompute(manifest, report, logs) != report:
        raise ProofError("report", "the events make another report than the one that was served")
    _, told = check_report(head, manifest, report, logs)
    again = f"the whole report was made again from these events: the same {len(report)} bytes"
    return head, [*told, again]
