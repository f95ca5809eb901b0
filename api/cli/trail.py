"""`qazyna history`: the audit trail: who, when, by which act, why, before and after."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api import client
from api.cli import show
from api.cli.options import Budget, Home, Json, Url
from api.cli.reading import ask, collect


def history(  # noqa: PLR0913 - each names what the trail is followed for
    *,
    budget: Budget = None,
    line: Annotated[list[str] | None, typer.Option(
        "--line", metavar="CODE", show_default=False,
        help="A line or branch: repeat for each code of its path")] = None,
    contract: Annotated[str | None, typer.Option("--contract", show_default=False)] = None,
    account: Annotated[str | None, typer.Option("--account", show_default=False)] = None,
    actor: Annotated[str | None, typer.Option("--actor", show_default=False)] = None,
    act: Annotated[str | None, typer.Option("--act", show_default=False)] = None,
    after: Annotated[int, typer.Option("--after", min=0, help="After a sequence")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most events")] = 100,
    url: Url = None,
    home: Home = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Tell who changed what, when, by which act and why, with the figures before and after."""
    found: list[dict[str, Any]] = ask(home, url, lambda service: collect(
        service, client.TRAIL, {
            "budget": budget, "line": line, "contract": contract, "account": account,
            "actor": actor, "act": act, "after": after,
        }, limit))  # fmt: skip
    if as_json:
        show.emit({"items": found})
        return
    for row in found:
        show.say(_told(row))
    if len(found) == limit:
        show.note(f"note: there may be more: --after {found[-1]['sequence']}")


def _told(row: dict[str, Any]) -> str:
    """Write one event: a line with its place and author, then act, reason and each change."""
    who = f"{row['actor']} ({row['capacity']})" if row["actor"] else "-"
    place = f"{row['budget']}:{row['position']}"
    told = [f"{row['sequence']}  {row['recorded_at']}  {place}  {row['kind']}  {who}"]
    about = [f"line {show.path(row['line'])}" if row["line"] else "",
             f"contract {row['contract']}" if row["contract"] else "",
             f"account {row['account']}" if row["account"] else "",
             f"plan of {row['month']}" if row["month"] else "",
             f"effective {row['effective_from']}"]  # fmt: skip
    told.append(", ".join(filter(None, about)))
    if row["act"]:
        article = f", {row['act_article']}" if row["act_article"] else ""
        told.append(f"act {row['act']}{article} of {row['act_date']}")
    if row["reason"]:
        told.append(f"reason: {row['reason']}")
    if row["refused"]:
        told.append(f"refused: {row['refused']}")
    if row["flags"]:
        told.append(f"warned of: {', '.join(row['flags'])}")
    told += [_change(change) for change in row["changes"]]
    return "\n      ".join(told)


def _change(change: dict[str, Any]) -> str:
    """Write one figure before and after."""
    write = show.Amounts([change["before"], change["after"]])
    names = dict.fromkeys((change["subject"], change["measure"]))  # "cash cash" is "cash"
    return f"{' '.join(names)}: {write(change['before'])} → {write(change['after'])}"
