"""Reading tables: places are physical lines, encodings are tried in order, figures are exact."""

from pathlib import Path

import pytest

from api.load.rows import BadRow, BadValue, Form, Row, read_table

FORM = Form(unit=1000)


def _table(path: Path, content: bytes, encodings=("utf-8-sig", "windows-1252"), form=FORM):
    path.write_bytes(content)
    return read_table(path, parts={}, encodings=encodings, delimiter=",", form=form)


def _row(form: Form = FORM, **values: str) -> Row:
    return Row(file="a.csv", line=7, values=values, form=form)


def test_a_record_over_several_lines_is_known_by_its_first(tmp_path: Path) -> None:
    table = _table(tmp_path / "a.csv", b'x,y\n1,"two\nlines"\n\n3,4\n')
    assert [(row.line, row.values["y"]) for row in table.rows] == [(2, "two\nlines"), (5, "4")]


def test_the_first_encoding_that_fits_is_taken(tmp_path: Path) -> None:
    bom = _table(tmp_path / "a.csv", "\ufeffx\n\u2013\n".encode())
    old = _table(tmp_path / "b.csv", "x\n\u2013\n".encode("windows-1252"))
    assert [t.rows[0].values["x"] for t in (bom, old)] == ["\u2013", "\u2013"]


def test_a_file_in_no_declared_encoding_is_one_problem(tmp_path: Path) -> None:
    table = _table(tmp_path / "a.csv", b"x\n\x81\n")
    assert table.problems == [BadRow("a.csv", 0, "", "the text is in none of the encodings "
                                     "utf-8-sig, windows-1252")]  # fmt: skip


@pytest.mark.parametrize(("content", "reason"), [
    (b"", "the file is empty"),
    (b"x,x\n1,2\n", "the column stands twice"),
    (b"x,y\n1\n", "1 fields, the header has 2"),
    (b'x\n"open\n', "unexpected end of data"),
])  # fmt: skip
def test_a_broken_table_says_what_is_wrong(tmp_path: Path, content: bytes, reason: str) -> None:
    [problem] = _table(tmp_path / "a.csv", content).problems
    assert problem.reason == reason


@pytest.mark.parametrize(("text", "minor"), [
    ("1", 100_000), ("-0.1", -10_000), ("0.00001", 1), ("4100000000", 410_000_000_000_000),
])  # fmt: skip
def test_units_are_converted_exactly(text: str, minor: int) -> None:
    assert _row(a=text).amount("{a}") == minor


@pytest.mark.parametrize("text", [
    "", " ", "NaN", "1e3", "1,5", "1 000", "+1", "0.000001", "9" * 18, "١", "Infinity", ".5",
])  # fmt: skip
def test_what_is_no_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(BadValue) as found:
        _row(a=text).amount("{a}")
    assert found.value.column == "a"


def test_other_marks_and_dates_are_declared_not_guessed() -> None:
    form = Form(decimal_mark=",", group_mark=".", dates="%d/%m/%Y")
    row = _row(form, a="1.234,50", d="31/01/2025")
    assert (row.amount("{a}"), row.day("{d}"), row.day("2025-02-01")) == (
        123_450, "2025-01-31", "2025-02-01")  # fmt: skip
    with pytest.raises(BadValue, match="is not a day"):
        row.day("{a}")


def test_a_template_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(BadValue, match="neither a column nor a part of the file's name"):
        _row(a="1").text("{b}")
