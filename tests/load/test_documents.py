"""A document with a bad row is refused whole, and every bad row is named."""

import shutil
from pathlib import Path

import pytest

from api.load import LoadRefused

ROOT = Path(__file__).parents[2]
NAME = "republican_budget_2025_programmes.csv"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A copy of the republican tables that may be broken."""
    folder = shutil.copytree(ROOT / "deploy" / "data" / "kz-republican-budget-2025",
                             tmp_path / "kz")  # fmt: skip
    return {path.name: path for path in folder.iterdir()}


def _break(path: Path, **changes: tuple[str, str]) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, (old, new) in changes.items():
        index = int(number.removeprefix("line")) - 1
        assert old in lines[index]
        lines[index] = lines[index].replace(old, new, 1)
    path.write_text("\n".join(lines), encoding="utf-8")


def _commands(plan) -> list[str]:
    return [c.document["command"] for c in plan.prepared]


def test_an_approval_with_bad_rows_is_refused_whole_naming_each(read, files) -> None:
    _break(files[NAME], line4=("5087546655", "many"), line7=("149702349", "-1"),
           line8=("05,3", "05,"), line9=("05,4", "05,1"))  # fmt: skip
    plan, report = read("kz-republic-2025", *files.values())
    assert "ApproveBudget" not in _commands(plan)
    assert _commands(plan).count("SetTransfer") == 20
    assert [(b.file, b.line, b.column, b.reason) for b in report.bad_rows] == [
        (NAME, 4, "amount_thousand_tenge", "'many' is not an amount"),
        (NAME, 7, "amount_thousand_tenge", "negative, and not declared a contra line"),
        (NAME, 8, "code3", "the value is empty"),
        (NAME, 9, "", "revenue / 1 / 05 / 1 stands on line 6 already"),
    ]


def test_an_exempt_list_with_a_bad_row_is_refused_whole(read, files) -> None:
    _break(files["sequestration_exempt_republican_2025.csv"], line5=("224", ""))
    plan, report = read("kz-republic-2025", *files.values())
    assert _commands(plan).count("SetExemptList") == 1
    assert [(b.line, b.column) for b in report.bad_rows] == [(5, "administrator")]


def test_a_transfer_fails_alone_and_the_acts_total_shows_it(read, files) -> None:
    _break(files["general_transfers_2025.csv"], line3=("город Алматы", "город Алмата"))
    plan, report = read("kz-republic-2025", *files.values())
    assert _commands(plan).count("SetTransfer") == 19
    [bad] = report.bad_rows
    assert (bad.line, bad.column) == (3, "from_budget")
    assert [c.name for c in report.controls if not c.holds] == ["withdrawals_total"]
    assert not report.ok


def test_a_missing_column_is_named_once(read, files) -> None:
    _break(files[NAME], line1=("code2", "kode2"))
    plan, report = read("kz-republic-2025", *files.values())
    assert "ApproveBudget" not in _commands(plan)
    assert [(b.line, b.column) for b in report.bad_rows] == [(1, "code2")]


def test_a_figure_that_the_document_needs_must_be_there(read, files) -> None:
    _break(files["aggregates_and_limits_2025.csv"], line13=("deficit,", "deficits,"))
    plan, report = read("kz-republic-2025", *files.values())
    assert "ApproveBudget" not in _commands(plan)
    assert "no row gives deficit" in [b.reason for b in report.bad_rows]


def test_a_document_needs_the_file_of_its_figures(read, files) -> None:
    del files["aggregates_and_limits_2025.csv"]
    with pytest.raises(LoadRefused, match="also needs one file named aggregates_and_limits_2025"):
        read("kz-republic-2025", *files.values())


def test_two_files_of_one_name_are_refused(read, files) -> None:
    with pytest.raises(LoadRefused, match="two files are named"):
        read("kz-republic-2025", files[NAME], files[NAME])
