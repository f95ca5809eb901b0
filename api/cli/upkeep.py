"""`qazyna replay`, `check`, `rebuild`, `migrate`, `version`: looking after a ledger."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Annotated, Any

import asyncpg
import typer

from api.assembly import keys_of, read_toml
from api.cli import show
from api.cli.options import Budget, Home, Json, settings_of
from api.cli.outcome import Exit
from api.home import database, settle
from api.settings import PROJECT, Settings
from ledger.store.migrate import migrate as apply_migrations
from ledger.store.pool import ROLES, Database
from projections.rebuild import RebuildReport
from projections.rebuild import rebuild as rebuild_one
from projections.registry import NAMES
from projections.versions import prepare


def replay(*, home: Home = None, budget: Budget = None, as_json: Json = False) -> None:
    """Decide the whole history again from the events alone, chain and every limit included.

    Every command is decided with the rules of its time; its events must come out byte for byte.
    """
    from ledger.store.replay import replay as replay_history  # noqa: PLC0415 - not for `load`

    settings = settings_of(home)
    with database(settings) as place, show.progress("replay", quiet=as_json) as tell:

        async def work() -> Any:
            await settle(settings, place.dsn)
            return await replay_history(place.dsn, budget=budget, progress=tell)

        report = asyncio.run(work())
    if as_json:
        show.emit({
            "events": report.events, "commands": report.commands, "budgets": report.budgets,
            "sequence": report.last_sequence, "seconds": round(report.seconds, 3),
            "events_per_second": round(report.events_per_second), "ok": not report.findings,
            "findings": [asdict(found) for found in report.findings],
        })  # fmt: skip
    else:
        for found in report.findings:
            show.say(str(found))
        verdict = f"{len(report.findings)} finding(s)" if report.findings else "all as stored"
        show.say(f"{report.events} events of {report.commands} commands in {report.budgets} logs "
                 f"replayed in {report.seconds:.2f} s, {report.events_per_second:.0f} events/s: "
                 f"{verdict}")  # fmt: skip
    raise typer.Exit(Exit.REFUSED if report.findings else Exit.OK)


def check(*, home: Home = None, as_json: Json = False) -> None:
    """Compare everything that is stored twice; silent when all is well."""
    from ledger.store.checks import Finding, assert_durable  # noqa: PLC0415 - not for `load`
    from ledger.store.checks import check as check_all  # noqa: PLC0415
    from ledger.store.tree_check import check_kept  # noqa: PLC0415
    from projections.checks import check as check_projections  # noqa: PLC0415

    settings = settings_of(home)
    with database(settings) as place, show.progress("check", quiet=as_json) as tell:

        async def work() -> Any:
            await assert_durable(place.dsn)
            await settle(settings, place.dsn)
            found = await check_all(place.dsn, progress=tell)
            connection = await asyncpg.connect(place.dsn, server_settings={"role": ROLES["reader"]})
            try:
                kept = await check_kept(connection, keys_of(settings))
            finally:
                await connection.close()
            found += [Finding(code=code, message=told) for code, told in kept]
            return found + await check_projections(Database(place.dsn))

        findings = asyncio.run(work())
    if as_json:
        show.emit({"ok": not findings, "findings": [asdict(found) for found in findings]})
    else:
        for found in findings:
            show.say(str(found))
    raise typer.Exit(Exit.REFUSED if findings else Exit.OK)


def rebuild(
    name: Annotated[str | None, typer.Argument(
        metavar="[NAME]", help=f"One of {', '.join(NAMES)}; all without a name")] = None,
    *,
    home: Home = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Build a projection anew beside the live one, compare them, and swap when they are equal."""
    settings = settings_of(home)
    reports: list[RebuildReport] = []
    with database(settings) as place:
        reports = asyncio.run(_rebuild(settings, place.dsn, [name] if name else list(NAMES)))
    if as_json:
        show.emit([{**asdict(report), "seconds": round(report.seconds, 3)} for report in reports])
    else:
        for report in reports:
            for found in report.differences:
                show.say(f"{report.name} {found.table}: only {found.side} has {found.row}")
            outcome = "equal, swapped in" if report.swapped else "differs, the live one stays"
            show.say(f"{report.name}: {report.events} events in {report.seconds:.2f} s to "
                     f"sequence {report.sequence}: {outcome}")  # fmt: skip
    raise typer.Exit(Exit.OK if all(r.swapped for r in reports) else Exit.REFUSED)


async def _rebuild(settings: Settings, dsn: str, names: list[str]) -> list[RebuildReport]:
    """Rebuild projections one after the other."""
    await settle(settings, dsn)
    pool = Database(dsn)
    await pool.open()
    try:
        connection = await pool.listen("projector")
        try:
            await prepare(connection)
        finally:
            await connection.close(timeout=2)
        return [await rebuild_one(pool, name) for name in names]
    finally:
        await pool.close()


def migrate(*, home: Home = None, as_json: Json = False) -> None:
    """Bring the database to this release's schema; a service does it when it starts."""
    settings = settings_of(home)
    with database(settings, create=True) as place:
        applied = asyncio.run(apply_migrations(place.dsn))
    if as_json:
        show.emit({"applied": applied})
    else:
        show.say(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")


def version(*, as_json: Json = False) -> None:
    """Tell the release of this program."""
    try:
        found = installed("qazyna")
    except PackageNotFoundError:  # run from the source tree
        found = str(read_toml(PROJECT / "pyproject.toml")["project"]["version"])
    if as_json:
        show.emit({"version": found})
    else:
        show.say(f"qazyna {found}")
