"""British payments as commands: 2 797 rows, two encodings, equal rows are money."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

FOLDER = "gb-cabinet-office-spend-2020-21"


@pytest.fixture(scope="session")
def files(data: Path) -> list[Path]:
    found = sorted((data / FOLDER).glob("*.csv"))
    assert len(found) == 6
    return found


def test_every_row_is_a_payment_with_an_id_of_its_own(read, files) -> None:
    plan, report = read("gb-cabinet-office", *files)
    documents = [c.attempt() for c in plan.prepared]
    assert report.bad_rows == []
    assert len(documents) == len({d["command_id"] for d in documents}) == 2_797
    assert sum(Decimal(d["amount"]) for d in documents) == Decimal("682225626.61")


def test_ids_do_not_depend_on_the_order_of_files(read, files) -> None:
    once, _ = read("gb-cabinet-office", *files)
    again, _ = read("gb-cabinet-office", *reversed(files))
    alone, _ = read("gb-cabinet-office", files[3])
    ids = {c.place: c.attempt() for c in once.prepared}
    assert {c.place: c.attempt() for c in again.prepared} == ids
    assert all(ids[c.place] == c.attempt() for c in alone.prepared)


def test_rows_that_are_equal_in_everything_are_payments_each(read, files) -> None:
    plan, _ = read("gb-cabinet-office", *files)
    keys = Counter((c.document["act"]["id"], c.document["value_date"], *c.document["line"],
                    c.document["amount"]) for c in plan.prepared)  # fmt: skip
    assert sum(count - 1 for count in keys.values()) >= 55


def test_one_file_is_windows_1252(read, files) -> None:
    june = files[2]
    with pytest.raises(UnicodeDecodeError):
        june.read_bytes().decode("utf-8")
    plan, report = read("gb-cabinet-office", june)
    assert (len(plan.prepared), report.bad_rows) == (633, [])
    assert not any("\ufffd" in step for c in plan.prepared for step in c.document["line"])


def test_codes_with_a_slash_stay_one_step(read, files) -> None:
    plan, _ = read("gb-cabinet-office", *files)
    lines = [c.document["line"] for c in plan.prepared]
    assert {len(line) for line in lines} == {4}
    assert any("/" in line[3] for line in lines)


def test_no_supplier_is_stored(read, files) -> None:
    plan, _ = read("gb-cabinet-office", *files)
    assert not any("payee" in c.document or "SAGENTIA" in str(c.document) for c in plan.prepared)


def test_a_bad_row_is_named_and_the_others_are_kept(read, files, tmp_path: Path) -> None:
    lines = files[0].read_text(encoding="utf-8").splitlines()
    lines[3] = lines[3].replace("45933100.00", "45 933 100")
    lines[5] = lines[5].replace("2020-04", "2020-13", 1)
    lines[7] = lines[7] + ",one too many"
    lines[9] = lines[9].rpartition(",")[0] + ",1.234"
    lines[11] = lines[11].rpartition(",")[0] + ",-5.00"
    lines[13] = lines[13].replace(",CABINET OFFICE,", ",,", 1)
    lines[15] = lines[15].rpartition(",")[0] + ",1e400"
    copy = tmp_path / "2020-04.csv"
    copy.write_text("\n".join(lines), encoding="utf-8")
    plan, report = read("gb-cabinet-office", copy)
    assert len(plan.prepared) == 273 - 7
    found = {bad.line: (bad.column, bad.reason) for bad in report.bad_rows}
    assert {bad.file for bad in report.bad_rows} == {"2020-04.csv"}
    assert found[4] == ("Amount", "'45 933 100' is not an amount")
    assert found[6][0] == "Date"
    assert "is not a day" in found[6][1]
    assert found[8] == ("", "9 fields, the header has 8")
    assert "not a whole number of minor units" in found[10][1]
    assert found[12] == ("Amount", "a payment is above zero")
    assert found[14] == ("Entity", "the value is empty")
    assert found[16] == ("Amount", "'1e400' is not an amount")


def test_a_text_the_ledger_cannot_read_is_a_bad_row(read, files, tmp_path: Path) -> None:
    lines = files[0].read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace(",CABINET OFFICE,", ",CABINET\x00OFFICE,", 1)
    lines[2] = lines[2].replace(",CABINET OFFICE,", f",{'X' * 300},", 1)
    copy = tmp_path / "2020-04.csv"
    copy.write_text("\n".join(lines), encoding="utf-8")
    plan, report = read("gb-cabinet-office", copy)
    assert len(plan.prepared) == 271
    assert [(bad.line, bad.column) for bad in report.bad_rows] == [(2, "line.1"), (3, "line.1")]
    assert "control character" in report.bad_rows[0].reason
