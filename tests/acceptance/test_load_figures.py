"""Acceptance 1 to 4 of the spine: real tables loaded into a real ledger give the published figures.

Every figure is asked of the stored events; loading again changes nothing.
"""

import csv
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from api.load import LoadReport, default_files, load, read_mapping
from ledger.service import Ledger
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrate import migrate
from tests.acceptance.door import LedgerDoor

ROOT = Path(__file__).parents[2]
MAPPINGS = ROOT / "deploy" / "mappings"
REPUBLIC, OBLAST = "KZ-2025-republic", "KZ-2025-oblast-19"
ARMENIA, BRITAIN = "AM-2024-state", "GB-2020-cabinet-office"


@pytest.fixture(scope="module")
def data() -> Path:
    folder = Path(os.environ.get("QAZYNA_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.fail(f"the source tables are missing: {folder} is no folder; set QAZYNA_DATA")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("load"), fsync=False) as running:
        yield running


@asynccontextmanager
async def opened(server: EmbeddedPostgres, name: str) -> AsyncIterator[LedgerDoor]:
    """A new database and a ledger on it."""
    connection = await asyncpg.connect(server.dsn("postgres"))
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    await migrate(server.dsn(name))
    async with Ledger(server.dsn(name)) as ledger:
        yield LedgerDoor(ledger)


async def _load(door: LedgerDoor, name: str, *files: Path, **options: bool) -> LoadReport:
    path = MAPPINGS / f"{name}.toml"
    mapping = read_mapping(path)
    return await load(mapping, files or default_files(mapping, path), door, **options)


def _section(lines: dict, section: str, measure: str = "amended") -> Decimal:
    return sum(Decimal(f[measure]) for line, f in lines.items() if line[0] == section) / 100_000


async def test_acceptance_1_the_republican_budget(server: EmbeddedPostgres) -> None:
    async with opened(server, "republic") as door:
        report = await _load(door, "kz-republic-2025")
        assert (report.ok, report.accepted) == (True, 44)
        lines = await door.lines(REPUBLIC, date(2025, 1, 1))
        assert _section(lines, "revenue") == 21_392_054_673
        assert _section(lines, "expenditure") == 25_193_022_392
        lending = _section(lines, "budget_credit") - _section(lines, "credit_repayment")
        assert lending == 252_140_981
        assert _section(lines, "financial_asset_purchase") == 46_891_300
        spent = [line for line in lines if line[0] == "expenditure"]
        assert (len(spent), len({line[2] for line in spent})) == (225, 39)
        again = await _load(door, "kz-republic-2025")
        assert (again.ok, again.accepted, again.replayed) == (True, 0, 44)
        assert await door.lines(REPUBLIC, date(2025, 1, 1)) == lines


async def test_acceptance_2_the_oblast_by_acts_adopted(server: EmbeddedPostgres) -> None:
    async with opened(server, "oblast") as door:
        for name in ("kz-almaty-oblast-2025", "kz-republic-2025", "kz-almaty-oblast-2025"):
            assert (await _load(door, name)).ok
        for adopted, revenue, gap in (
            (date(2025, 3, 5), 809_767_084, 0),
            (date(2025, 6, 5), 832_575_196, -20_300_000),
            (date(2025, 7, 31), 846_696_624, -10_179_395),
        ):
            lines = await door.lines(OBLAST, date(2025, 1, 1), adopted=adopted)
            assert _section(lines, "revenue") == revenue
            stated = {budget: event.command.amount_minor for _, budget, event in door.events
                      if event.kind == "budget.transfer.set" and event.command.adopted <= adopted
                      and {budget, event.command.peer} == {REPUBLIC, OBLAST}}  # fmt: skip
            assert (stated[OBLAST] - stated[REPUBLIC]) / 100_000 == gap


def _published(path: Path) -> dict[tuple[str, ...], list[int]]:
    names = ("annual_plan", "rev_annual_plan", "rev_period_plan", "actual")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {
            ("expenditure", row["program_code"], row["subprogram_code"]): [
                int(Decimal(row[f"subprogram_{name}"]) * 100_000) for name in names
            ]
            for row in csv.DictReader(file)
        }


def _figures(lines: dict) -> dict[tuple[str, ...], list[int]]:
    names = ("approved", "adjusted", "plan_payments", "executed")
    return {line: [figures[name] for name in names] for line, figures in lines.items()}


async def test_acceptance_3_armenia_quarter_by_quarter(server, data: Path) -> None:
    folder = data / "am-state-budget-2024"
    law, first, half = (folder / f"2024_{name}.csv"
                        for name in ("BUDGET_LAW", "SPENDING_Q1", "SPENDING_Q12"))  # fmt: skip
    march, june = date(2024, 3, 31), date(2024, 6, 30)
    async with opened(server, "armenia") as door:
        assert (await _load(door, "am-2024", law)).ok
        approved = await door.lines(ARMENIA, date(2024, 1, 1))
        assert _section(approved, "expenditure", "approved") == Decimal("3206517499.6")
        report = await _load(door, "am-2024", first)
        assert (report.ok, report.refused, report.bad_rows) == (True, [], [])
        quarter = await door.lines(ARMENIA, march)
        known = door.sequence
        assert _figures(quarter) == _published(first)
        report = await _load(door, "am-2024", half)
        assert (report.ok, report.refused, report.bad_rows) == (True, [], [])
        later = await door.lines(ARMENIA, june)
        assert _figures(later) == _published(half)
        assert _section(later, "expenditure", "adjusted") == Decimal("3207076336.7")
        assert _section(later, "expenditure", "executed") == Decimal("1232737919.2")
        earlier = await door.lines(ARMENIA, march)
        assert {line: earlier[line] for line in quarter} == quarter
        assert not any(any(earlier[line].values()) for line in earlier.keys() - quarter.keys())
        assert await door.lines(ARMENIA, june, known=known) == quarter
        again = await _load(door, "am-2024", half, law, first)
        assert (again.ok, again.accepted, again.replayed) == (True, 0, again.commands)


async def test_a_quarter_before_a_loaded_one_is_refused(server, data: Path) -> None:
    folder = data / "am-state-budget-2024"
    async with opened(server, "order_of_quarters") as door:
        half = folder / "2024_SPENDING_Q12.csv"
        alone = await _load(door, "am-2024", half)
        assert ["load its law first" in bad.reason for bad in alone.bad_rows] == [True]
        assert (await _load(door, "am-2024", folder / "2024_BUDGET_LAW.csv", half)).ok
        head = await door.head(ARMENIA)
        report = await _load(door, "am-2024", folder / "2024_SPENDING_Q1.csv")
        [bad] = report.bad_rows
        assert (bad.file, bad.line) == ("2024_SPENDING_Q1.csv", 0)
        assert "already holds a later period" in bad.reason
        assert await door.head(ARMENIA) == head


async def test_acceptance_4_british_payments_three_times_in_any_order(server, data: Path) -> None:
    files = sorted((data / "gb-cabinet-office-spend-2020-21").glob("*.csv"))
    async with opened(server, "britain") as door:
        for order in (files[::-1], files, files[3:] + files[:3]):
            report = await _load(door, "gb-cabinet-office", *order)
            assert report.ok
        assert (report.accepted, report.replayed) == (0, 2_798)
        lines = await door.lines(BRITAIN, date(2021, 3, 31))
        assert _section(lines, "expenditure", "executed") * 1000 == Decimal("682225626.61")
        paid = [e for _, _, e in door.events if e.kind == "budget.payment.executed"]
        assert len(paid) == 2_797


async def test_an_atomic_load_stores_all_or_nothing(server, data: Path, tmp_path: Path) -> None:
    source = data / "gb-cabinet-office-spend-2020-21" / "2020-04.csv"
    late = tmp_path / source.name
    text = source.read_text(encoding="utf-8")
    late.write_text(text.replace("CAB,CABINET OFFICE,2020-04-02", "CAB,CABINET OFFICE,2019-04-02",
                                 1), encoding="utf-8")  # fmt: skip
    async with opened(server, "atomic") as door:
        report = await _load(door, "gb-cabinet-office", late, atomic=True)
        assert [r.place for r in report.refused] == ["2020-04.csv:4"]
        assert report.accepted == 0
        assert report.withheld == report.commands - 1
        await door.read()
        assert not [e for _, _, e in door.events if e.kind == "budget.payment.executed"]
