"""`qazyna audit`: a running service audited from outside, in proportion to what it has grown."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from api.auditing.memory import Memory
from api.auditing.remote import Remote
from api.auditing.walk import Audit, Audited
from api.cli import show
from api.cli.evidence import Keys, Quorum, Witnesses
from api.cli.options import Json
from api.cli.outcome import Exit
from ledger.proofs.verify import ALARMS, Key, Note, ProofError, Trust

ACCUSED = 3
"""Exit code where the log itself is to be accused, as of the verifier."""


def audit(
    url: Annotated[str, typer.Argument(metavar="URL", show_default=False,
                                       help="The service, as its public reaches it")],
    *,
    state: Annotated[Path, typer.Option(
        "--state", metavar="FILE", help="The last checkpoint seen; FILE.memory lies beside it")],
    key: Keys = None,
    witness: Witnesses = None,
    quorum: Quorum = 0,
    rules: Annotated[bool, typer.Option(
        "--rules", help="Decide every command again: all limits at every prefix of history")
    ] = False,
    again: Annotated[bool, typer.Option(
        "--again", help="Begin with the first event, not where the last audit ended")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Audit a ledger over HTTP: head, growth, every new event, chains, sums, reports.

    Ends with 0 when all of it holds, 1 when something is not as it was signed or does not add
    up, 3 when the log itself is to be accused: two heads of one tree, or a tree that shrank.
    """
    started = time.perf_counter()
    with Remote(url) as remote, Memory(state) as memory:
        try:
            known = list(key or []) or _first_key(remote, memory)
            keys = tuple(map(Key.parse, known))
            trust = Trust(keys, keys[0].name, tuple(map(Key.parse, witness or ())), quorum)
            with show.progress("audit", quiet=as_json) as tell:
                found = Audit(remote, trust, memory, rules=rules, progress=tell).run(again=again)
        except ProofError as error:
            _accuse(error, state, as_json=as_json)
            raise typer.Exit(ACCUSED if error.code in ALARMS else Exit.REFUSED) from None
    _tell(found, time.perf_counter() - started, as_json=as_json)


def _tell(found: Audited, seconds: float, *, as_json: bool) -> None:
    """Say what was checked."""
    head, seen = found.head, found.seen
    if as_json:
        show.emit({
            "ok": True, "origin": head.origin, "size": head.size,
            "remembered": seen.size if seen else None, "begun": found.begun,
            "events": found.events, "logs": found.logs, "reports": found.reports,
            "figures": found.figures, "commands": found.commands, "seconds": round(seconds, 3),
        })  # fmt: skip
        return
    grown = f"grown out of the remembered {seen.size}" if seen else "nothing to compare with yet"
    show.say(f"OK {head.origin} at size {head.size}: signed, {grown}")
    for one, moment in head.cosigned:
        show.say(f"  cosigned by {one.name} at {moment}")
    show.say(f"  {found.events} events from {found.begun + 1} on in {found.logs} logs: places, "
             "bodies, chains, tree")  # fmt: skip
    show.say(f"  {found.figures} figures of {found.reports} execution reports are the sums of "
             "their events")  # fmt: skip
    if found.commands is not None:
        show.say(f"  {found.commands} commands decided again: every event and limit as stored")
    else:
        show.say("  budget rules were not decided again: --rules does it")
    show.say(f"  in {seconds:.2f} s")


def _accuse(error: ProofError, state: Path, *, as_json: bool) -> None:
    """Say what is wrong; the remembered head is kept as evidence."""
    if as_json:
        show.emit({"ok": False, "code": error.code, "detail": str(error)})
    elif error.code in ALARMS:
        show.note(f"!!! ALARM ({error.code}): {error}\n!!! Keep {state}: it is signed by the log "
                  "and does not belong to the tree that is shown now")  # fmt: skip
    else:
        show.note(f"NOT AS SIGNED ({error.code}): {error}")


def _first_key(remote: Remote, memory: Memory) -> list[str]:
    """Return the remembered key, else, at first use, refuse: a service is not its own witness."""
    kept = memory.recall("", "keys")
    if kept:
        return [str(one) for one in kept]
    names = {name for name, _, _ in Note.parse(remote.checkpoint()).signatures}
    raise typer.BadParameter(f"name the log's public key at first use; the service calls itself "
                             f"{', '.join(sorted(names))}", param_hint="--key")  # fmt: skip
