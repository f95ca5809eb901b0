"""`qazyna report …`: the reports of a budget as tables, each with the sequence it is true for."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from api import client
from api.cli import show
from api.cli.options import Home, Json, Url
from api.cli.outcome import EPILOG
from api.cli.reading import ask, collect

Code = Annotated[str, typer.Argument(metavar="BUDGET", help="Code, such as KZ-2025-republic",
                                     show_default=False)]  # fmt: skip
Effective = Annotated[str | None, typer.Option(
    "--effective", metavar="DAY", show_default=False,
    help="What is in force or paid by this day [the ledger's own day]")]  # fmt: skip
Adopted = Annotated[str | None, typer.Option(
    "--adopted", metavar="DAY", show_default=False, help="Acts adopted by this day only")
]  # fmt: skip
Known = Annotated[str | None, typer.Option(
    "--known", metavar="WHEN", show_default=False,
    help="What this ledger had recorded by a sequence, a moment or a day")]  # fmt: skip
Unit = Annotated[int, typer.Option(
    "--unit", min=1, help="Show amounts in this unit, 1000 for thousands; never rounded")
]  # fmt: skip
COLUMNS = {
    "approved": "approved", "amended": "amended", "adjusted": "adjusted",
    "plan_payments": "plan to date", "accepted": "committed", "executed": "executed",
}  # fmt: skip
FIGURES = (*COLUMNS, "plan_receipts")
BALANCE = ("approved", "amended", "adjusted", "executed")
reports = typer.Typer(help="Show a report of a budget.", epilog=EPILOG, no_args_is_help=True,
                      rich_markup_mode=None)  # fmt: skip


@reports.command(epilog=EPILOG)
def execution(  # noqa: PLR0913 - the filters of a historical question
    budget: Code,
    *,
    effective: Effective = None,
    adopted: Adopted = None,
    known: Known = None,
    level: Annotated[int | None, typer.Option(
        "--level", min=1, max=9, show_default=False, help="Depth of the rows, 1 = section")] = None,
    prefix: Annotated[list[str] | None, typer.Option(
        "--prefix", metavar="CODE", show_default=False,
        help="One branch: repeat for each code of its path")] = None,
    by: Annotated[str | None, typer.Option(
        "--by", metavar="DIMENSION", show_default=False,
        help="Cut across, for example by administrator")] = None,
    unit: Unit = 1,
    url: Url = None,
    home: Home = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Show what is approved, planned, committed and executed, line by line."""
    found: dict[str, Any] = ask(home, url, lambda service: client.get(
        service, client.EXECUTION.format(budget=budget), {
            "effective": effective, "adopted": adopted, "known": known, "level": level,
            "prefix": prefix, "by": by,
        }))  # fmt: skip
    if as_json:
        show.emit(found)
        return
    rows = [*found["rows"], *found["totals"]]
    write = show.Amounts([row[name] for row in rows for name in FIGURES], unit)
    show.say(_heading(found, unit))
    show.say("")
    shown = [[show.path(row["line"]), *_figures(row, write)] for row in found["rows"]]
    if [row["line"] for row in found["rows"]] != [row["line"] for row in found["totals"]]:
        shown += [[f"= {show.path(row['line'])}", *_figures(row, write)]
                  for row in found["totals"]]  # fmt: skip
    figures = [*COLUMNS.values(), "% of plan", "% of budget"]
    show.table(["line", *figures, "name"], shown, right=figures)
    if found["identity"]:
        show.say("")
        show.table(["balance", *BALANCE], [
            [row["part"], *(write(row[name]) for name in BALANCE)] for row in found["identity"]
        ], right=BALANCE)  # fmt: skip
    _foot(found)


def _figures(row: dict[str, Any], write: show.Amounts) -> list[str]:
    """Write figures and name of one row; lines of receipts have a plan of their own."""
    receipts = show.is_zero(row["plan_payments"])
    plan = row["plan_receipts"] if receipts else row["plan_payments"]
    amounts = {**row, "plan_payments": plan}
    return [*(write(amounts[name]) for name in COLUMNS),
            row["percent_of_plan"] or "", row["percent_of_budget"] or "",
            row["title"] or ""]  # fmt: skip


def _heading(found: dict[str, Any], unit: int) -> str:
    """Say what the report shows: budget, dates and unit."""
    amounts = f"{found['currency']}" if unit == 1 else f"{unit} {found['currency']}"
    asked = [f"effective {found['effective']}"]
    if found["adopted"]:
        asked.append(f"acts adopted by {found['adopted']}")
    if found["known"] is not None:
        asked.append(f"as known at sequence {found['known']}")
    return f"{found['budget']}: {', '.join(asked)}; amounts in {amounts}"


def _foot(found: dict[str, Any]) -> None:
    """Say for which sequence a report is true, and what was warned of."""
    show.say("")
    if found.get("warnings"):
        show.say(f"{found['warnings']} posting(s) were let through with a warning: "
                 f"qazyna report warnings {found['budget']}")  # fmt: skip
    show.say(f"true for sequence {found['sequence']}")


@reports.command(epilog=EPILOG)
def transfers(
    budget: Code,
    *,
    adopted: Adopted = None,
    known: Known = None,
    unit: Unit = 1,
    url: Url = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show what both sides' acts say of every transfer, and the money that moved."""
    found: dict[str, Any] = ask(home, url, lambda service: client.get(
        service, client.TRANSFERS.format(budget=budget), {"adopted": adopted, "known": known},
    ))  # fmt: skip
    if as_json:
        show.emit(found)
        return
    names = ("payer says", "receiver says", "difference", "sent", "received")
    rows = [(pair, [_said(pair["payer_says"]), _said(pair["receiver_says"]), pair["difference"],
                    pair["sent"], pair["received"]]) for pair in found["pairs"]]  # fmt: skip
    write = show.Amounts([text for _, texts in rows for text in texts if text is not None], unit)
    show.table(["transfer", "payer", "receiver", *names], [
        [pair["transfer"], pair["payer"], pair["receiver"], *(write(text) for text in texts)]
        for pair, texts in rows
    ], right=names)  # fmt: skip
    _foot(found)


def _said(side: dict[str, Any] | None) -> str | None:
    """Return the amount that one side's acts say, None where they say nothing."""
    return side["amount"] if side else None


@reports.command(epilog=EPILOG)
def account(
    budget: Code,
    name: Annotated[str, typer.Argument(metavar="ACCOUNT", show_default=False)],
    *,
    unit: Unit = 1,
    url: Url = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show the statement of a treasury special account: movements and balances."""
    place = client.ACCOUNT.format(budget=budget, account=quote(name, safe=""))
    found: dict[str, Any] = ask(home, url, lambda service: client.get(service, place, {}))
    if as_json:
        show.emit(found)
        return
    rows = found["movements"]
    texts = [row[part] for row in rows for part in ("amount", "balance")]
    write = show.Amounts([*texts, found["balance"]], unit)
    show.say(f"{name} of {found['owner']}, {found['status']}: {found['purpose']}")
    show.say("")
    show.table(["position", "value date", "what", "amount", "balance"], [
        [str(row["position"]), row["value_date"], row["kind"], write(row["amount"]),
         write(row["balance"])]
        for row in rows
    ], right=["amount", "balance"])  # fmt: skip
    show.say(f"balance {write(found['balance'])}")
    _foot(found)


@reports.command(epilog=EPILOG)
def exempt(
    budget: Code,
    *,
    effective: Effective = None,
    unit: Unit = 1,
    url: Url = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show which spending a sequestration may not touch, and how much it may cut."""
    found: dict[str, Any] = ask(home, url, lambda service: client.get(
        service, client.EXEMPT.format(budget=budget), {"effective": effective}))  # fmt: skip
    if as_json:
        show.emit(found)
        return
    write = show.Amounts([row["amended"] for row in found["lines"]], unit)
    show.table(["line", "amended", "exempt by", "name"], [
        [show.path(row["line"]), write(row["amended"]),
         (row["entry"] or "yes") if row["exempt"] else "", row["title"] or ""]
        for row in found["lines"]
    ], right=["amended"])  # fmt: skip
    show.say("")
    sums = ("exempt", "cuttable", "sequestered", "headroom")
    write = show.Amounts([found[name] for name in sums if found[name] is not None], unit)
    show.table(sums, [[write(found[name]) for name in sums]], right=sums)
    for name in found["unresolved"]:
        show.say(f"no code is given for: {name}")
    _foot(found)


@reports.command(epilog=EPILOG)
def warnings(budget: Code, *, url: Url = None, home: Home = None, as_json: Json = False) -> None:
    """Show what controls in the mode "warn" let through with a flag."""
    rows = ask(home, url, lambda service: collect(
        service, client.WARNINGS.format(budget=budget), {}))  # fmt: skip
    if as_json:
        show.emit({"budget": budget, "items": rows})
        return
    if not rows:
        show.say("nothing was let through with a warning")
        return
    show.table(["position", "effective", "what", "line", "contract", "warned of"], [
        [str(row["position"]), row["effective_from"], row["kind"], show.path(row["line"] or ()),
         row["contract"] or "", ", ".join(row["flags"])]
        for row in rows
    ])  # fmt: skip
