"""Bad rows: a document with one is refused whole, a payment fails alone, atomic stores nothing."""

from pathlib import Path

import orjson
import pytest

from tests.acceptance.book import ROOT, Book

REPUBLIC, BRITAIN = "KZ-2025-republic", "GB-2020-cabinet-office"
FOLDER = ROOT / "deploy" / "data" / "kz-republican-budget-2025"
PROGRAMMES = "republican_budget_2025_programmes.csv"
BROKEN = ("revenue,3,1,05,1,Налог на добавленную стоимость,6510033023",
          "revenue,3,1,05,1,Налог на добавленную стоимость,6 510 033 023")  # fmt: skip
UNKNOWN = "revenue,3,9,01,1,Неизвестная категория,0"
"""A receipts category that the classification of 2025 does not have."""


def republic(folder: Path, *changes: tuple[str, str], added: str = "") -> list[Path]:
    """Copy the law's tables with changes in the table of programmes; return the files."""
    found = []
    for source in sorted(FOLDER.glob("*.csv")):
        text = source.read_text(encoding="utf-8")
        if source.name == PROGRAMMES:
            for old, new in changes:
                assert old in text
                text = text.replace(old, new, 1)
            text += f"{added}\n" if added else ""
        (folder / source.name).write_text(text, encoding="utf-8")
        found.append(folder / source.name)
    return found


def line_of(path: Path, text: str) -> int:
    """The physical line that holds a text."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


async def approved(book: Book) -> list[str]:
    return [budget for budget, _ in await book.events("budget.approved")]


async def test_a_broken_amount_refuses_the_law_whole(new_book, tmp_path: Path) -> None:
    files = republic(tmp_path, BROKEN)
    [table] = [path for path in files if path.name == PROGRAMMES]
    async with new_book("kz", "2025-01-03") as book:
        report = await book.load("kz-republic-2025", *files)
        [bad] = report.bad_rows
        place = (PROGRAMMES, line_of(table, BROKEN[1]), "amount_thousand_tenge")
        assert (bad.file, bad.line, bad.column) == place
        assert "6 510 033 023" in bad.reason
        assert not report.ok
        assert await approved(book) == []
        mended = await book.load("kz-republic-2025")
        assert mended.ok
        assert await approved(book) == [REPUBLIC]


@pytest.mark.parametrize("remote", [False, True])
async def test_an_unknown_code_refuses_the_law_whole(new_book, tmp_path: Path, remote) -> None:
    files = republic(tmp_path, added=UNKNOWN)
    [table] = [path for path in files if path.name == PROGRAMMES]
    async with new_book("kz", "2025-01-03") as book:
        report = await book.load("kz-republic-2025", *files, remote=remote)
        [found] = report.refused
        assert found.place == f"{PROGRAMMES}:{line_of(table, UNKNOWN)}:code1"
        assert (found.command, found.code) == ("ApproveBudget", "unknown-code")
        assert "revenue / 9" in found.message
        assert not report.ok
        assert await approved(book) == []
        assert await book.execution(REPUBLIC, effective="2025-01-01") == {}


async def test_every_bad_row_is_named_at_once(new_book, tmp_path: Path) -> None:
    nameless = ("expenditure,3,01,101,001,", "expenditure,3,01,101,,")
    files = republic(tmp_path, BROKEN, nameless)
    [table] = [path for path in files if path.name == PROGRAMMES]
    async with new_book("kz", "2025-01-03") as book:
        report = await book.load("kz-republic-2025", *files)
        assert {(bad.file, bad.line, bad.column) for bad in report.bad_rows} == {
            (PROGRAMMES, line_of(table, BROKEN[1]), "amount_thousand_tenge"),
            (PROGRAMMES, line_of(table, nameless[1]), "code3"),
        }
        assert await approved(book) == []


@pytest.mark.parametrize("bad", ["amount", "code"])
async def test_atomic_with_a_bad_document_stores_no_part_of_the_law(new_book, tmp_path, bad):
    changes, added = ([BROKEN], "") if bad == "amount" else ([], UNKNOWN)
    files = republic(tmp_path, *changes, added=added)
    async with new_book("kz", "2025-01-03") as book:
        before = len(await book.bodies())
        report = await book.load("kz-republic-2025", *files, atomic=True)
        assert (report.ok, report.accepted) == (False, 0)
        stored = (await book.bodies())[before:]
        assert {kind for *_, body in stored if (kind := orjson.loads(body)["kind"])} <= {
            "ledger.command.refused"
        }


def british(data: Path, folder: Path, changes: dict[int, tuple[str, str]]) -> list[Path]:
    """Copy the payments of April and May; change lines of April."""
    found = []
    for name in ("2020-04.csv", "2020-05.csv"):
        lines = (data / "gb-cabinet-office-spend-2020-21" / name).read_text("utf-8").split("\n")
        for number, (old, new) in changes.items() if name == "2020-04.csv" else ():
            assert old in lines[number - 1]
            lines[number - 1] = lines[number - 1].replace(old, new, 1)
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
        found.append(folder / name)
    return found


ROWS = 2 * 273
"""Payments of April and May."""
BAD_AMOUNT = {4: ("45933100.00", "45933100.001")}
YEAR_BEFORE = {5: ("2020-04-02", "2019-04-02")}
"""A day outside the fiscal year: the ledger refuses the payment."""


async def test_bad_payments_fail_alone_and_the_others_are_paid(new_book, data, tmp_path) -> None:
    files = british(data, tmp_path, {**BAD_AMOUNT, **YEAR_BEFORE})
    async with new_book("gb", "2020-10-15") as book:
        report = await book.load("gb-cabinet-office", *files)
        [bad] = report.bad_rows
        assert (bad.file, bad.line, bad.column) == ("2020-04.csv", 4, "Amount")
        [refused] = report.refused
        assert refused.place == "2020-04.csv:5"
        assert not report.ok
        assert len(await book.events("budget.payment.executed")) == ROWS - 2
        whole = sorted((data / "gb-cabinet-office-spend-2020-21").glob("2020-0[45].csv"))
        mended = await book.load("gb-cabinet-office", *whole)
        assert (mended.accepted, mended.replayed) == (1, ROWS - 1)
        assert [found.code for found in mended.refused] == ["command-id-reused"]
        again = await book.load("gb-cabinet-office", *whole, retry=True)
        assert (again.ok, again.accepted) == (True, 1)
        assert len(await book.events("budget.payment.executed")) == ROWS


@pytest.mark.parametrize("changes", [BAD_AMOUNT, YEAR_BEFORE], ids=["unreadable", "refused"])
@pytest.mark.parametrize("remote", [False, True])
async def test_atomic_pays_nothing(new_book, data, tmp_path, changes, remote) -> None:
    files = british(data, tmp_path, changes)
    async with new_book("gb", "2020-10-15") as book:
        report = await book.load("gb-cabinet-office", *files, atomic=True, remote=remote)
        assert (report.ok, report.accepted) == (False, 0)
        assert len(report.bad_rows) + len(report.refused) == 1
        assert await book.events("budget.payment.executed") == []
        assert await book.events("budget.opened") == []
        if changes is BAD_AMOUNT:
            assert report.commands == 0
            files = british(data, tmp_path, {})
            mended = await book.load("gb-cabinet-office", *files, atomic=True, remote=remote)
            assert (mended.ok, mended.accepted) == (True, ROWS + 1)
        else:
            assert report.withheld == ROWS
            assert report.refused[0].place == "2020-04.csv:5"
