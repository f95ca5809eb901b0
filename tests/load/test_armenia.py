"""The Armenian law and cumulative reports as commands, against the published tables."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from api.load import LoadRefused, statement
from api.load.mapping import Statement
from api.load.rows import BadValue

FOLDER = "am-state-budget-2024"
CONTRA = ("expenditure", "1079", "31002")


@pytest.fixture(scope="session")
def folder(data: Path) -> Path:
    return data / FOLDER


@pytest.fixture(scope="session")
def shape(mapping) -> Statement:
    return next(d for d in mapping("am-2024").documents if isinstance(d, Statement))


@pytest.fixture(scope="session")
def quarters(read, folder: Path) -> list[statement.Report]:
    plan, report = read("am-2024", *sorted(folder.glob("*SPENDING*.csv"), reverse=True))
    assert report.bad_rows == []
    return [found for _, found in plan.statements]


def _thousand(minor: int) -> Decimal:
    return Decimal(minor) / 100_000


def _law(read, folder: Path) -> dict:
    plan, _ = read("am-2024", folder / "2024_BUDGET_LAW.csv")
    [law] = [c.document for c in plan.prepared]
    return law


def _as_approved(read, folder: Path) -> dict:
    """The ledger's lines right after the law."""
    found = {}
    for part in _law(read, folder)["lines"]:
        minor = int(Decimal(part["amount"]) * 100)
        found[tuple(part["line"])] = statement.Figures(approved=minor, adjusted=minor)
    return found


def _apply(before: dict, commands: list, falls: list) -> dict:
    """Add up what commands say, line by line: adjusted, plan and actual, in minor units."""
    sums: dict = {path: [f.adjusted, f.plan, f.executed] for path, f in before.items()}

    def add(line: list[str], place: int, amount: str) -> None:
        found = sums.setdefault(tuple(line), [0, 0, 0])
        found[place] += int(Decimal(amount) * 100)

    for document in (c.document for c in commands):
        if document["command"] == "AdjustBudget":
            for part in document["lines"]:
                add(part["line"], 0, part["change"])
        elif document["command"] == "ChangePlan":
            for part in document["lines"]:
                for month in part["payments"]:
                    add(part["line"], 1, month["amount"])
        else:
            sign = "-" if tuple(document["line"]) == CONTRA else ""
            add(document["line"], 2, sign + document["amount"])
    for fall in falls:
        assert fall.path != CONTRA
        add(list(fall.path), 2, str(-Decimal(fall.amount_minor) / 100))
    return sums


def test_the_law_gives_its_total_and_one_contra_line(read, folder: Path) -> None:
    law = _law(read, folder)
    assert len(law["lines"]) == 857
    assert sum(Decimal(p["amount"]) for p in law["lines"]) == Decimal("3206517499600.00")
    assert [p["line"] for p in law["lines"] if p.get("contra")] == [list(CONTRA)]
    assert law["budget"] == "AM-2024-state"
    assert "effective_from" in law["source"]["inferred"]


def test_a_report_becomes_what_happened_since_the_law(read, mapping, shape, quarters, folder):
    before = _as_approved(read, folder)
    commands, falls = statement.commands(mapping("am-2024"), shape, quarters[0], before)
    assert falls == []
    sums = _apply(before, commands, falls)
    with (folder / "2024_SPENDING_Q1.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("rev_annual_plan", "rev_period_plan", "actual")
    for row in rows:
        line = "expenditure", row["program_code"], row["subprogram_code"]
        assert [_thousand(v) for v in sums.pop(line)] == [
            Decimal(row[f"subprogram_{name}"]) for name in names
        ]
    assert sums == {}


def test_half_a_year_is_measured_against_the_first_quarter(mapping, shape, quarters) -> None:
    first, half = quarters
    commands, falls = statement.commands(mapping("am-2024"), shape, half, first.lines)
    sums = _apply(first.lines, commands, falls)
    totals = [sum(column) for column in zip(*sums.values(), strict=True)]
    assert [_thousand(total) for total in totals] == [
        Decimal("3207076336.7"), Decimal("1408454924.0"), Decimal("1232737919.2"),
    ]  # fmt: skip
    assert sorted((f.path[1:], _thousand(f.amount_minor)) for f in falls) == [
        (("1079", "11007"), Decimal("792.4")), (("1205", "12007"), Decimal("2.4")),
    ]  # fmt: skip


def test_published_totals_of_the_first_quarter(quarters) -> None:
    lines = quarters[0].lines.values()
    assert _thousand(sum(f.approved for f in lines)) == Decimal("3206517499.6")
    assert _thousand(sum(f.adjusted for f in lines)) == Decimal("3204741408.3")
    assert _thousand(sum(f.executed for f in lines)) == Decimal("525873828.4")


def test_the_contra_lines_proceeds_are_positive_payments(mapping, shape, quarters) -> None:
    first, half = quarters
    commands, _ = statement.commands(mapping("am-2024"), shape, half, first.lines)
    [payment] = [c.document for c in commands if c.document.get("line") == list(CONTRA)]
    assert payment["command"] == "ExecutePayment"
    assert payment["amount"] == "2743718300.00"  # 8 857 644.8 - 6 113 926.5 thousand


def test_what_a_report_implies_is_dated_to_its_end_and_marked_inferred(mapping, shape, quarters):
    first, half = quarters
    commands, _ = statement.commands(mapping("am-2024"), shape, half, first.lines)
    for document in (c.document for c in commands):
        assert document.get("effective_from", document.get("value_date")) == "2024-06-30"
        assert document["source"]["recorded_on"] == "2024-06-30"
        assert {"act", "adopted_on"} <= set(document["source"]["inferred"])
    plan = next(c.document for c in commands if c.document["command"] == "ChangePlan")
    assert {m["month"] for p in plan["lines"] for m in p["payments"]} == {"2024-06"}


def test_reading_a_report_again_gives_the_same_commands(mapping, shape, quarters) -> None:
    first, half = quarters
    once, again = (statement.commands(mapping("am-2024"), shape, half, first.lines)[0]
                   for _ in range(2))  # fmt: skip
    assert [c.attempt() for c in once] == [c.attempt() for c in again]
    assert len({c.attempt()["command_id"] for c in once}) == len(once)


def test_a_fall_is_recovered_from_the_newest_payments_first(mapping, shape, quarters) -> None:
    first, half = quarters
    _, falls = statement.commands(mapping("am-2024"), shape, half, first.lines)
    fall = next(f for f in falls if f.path[1] == "1205")
    paid = [{"payment": "old", "value_date": "2024-01-31", "amount": "9000.00"},
            {"payment": "new", "value_date": "2024-03-31", "amount": "1500.00"}]  # fmt: skip
    found = statement.recoveries(mapping("am-2024"), shape, half, fall, paid)
    assert [(c.document["payment"], c.document["amount"]) for c in found] == [
        ("new", "1500.00"), ("old", "900.00"),
    ]  # fmt: skip
    assert all(c.document["reason"] for c in found)
    with pytest.raises(BadValue, match=r"900\.00 more than was paid"):
        statement.recoveries(mapping("am-2024"), shape, half, fall, paid[1:])


def test_printed_subtotals_that_do_not_add_up_are_notes(read, folder: Path) -> None:
    _, report = read("am-2024", folder / "2024_SPENDING_Q1.csv")
    assert any("state_body_actual: 15 of 48" in n and "600.00 at most" in n for n in report.notes)
    assert report.bad_rows == []


def test_the_full_year_needs_no_period_columns(read, folder: Path, tmp_path: Path) -> None:
    source = folder / "2024_SPENDING_Q12.csv"
    with source.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [name for name in rows[0] if "period" not in name]
    for name in ("2023_SPENDING_Q1234.csv", "2023_SPENDING_Q123.csv"):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, kept, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    plan, report = read("am-2024", tmp_path / "2023_SPENDING_Q1234.csv")
    [(_, year)] = plan.statements
    assert report.bad_rows == []
    assert (year.budget, str(year.opening), str(year.closing)) == (
        "AM-2023-state", "2023-09-30", "2023-12-31")  # fmt: skip
    assert all(f.plan == f.adjusted for f in year.lines.values())
    plan, report = read("am-2024", tmp_path / "2023_SPENDING_Q123.csv")
    assert plan.statements == []
    assert [b.column for b in report.bad_rows] == ["subprogram_rev_period_plan"]


def test_a_subprogramme_under_two_bodies_is_summed(read, folder: Path, tmp_path: Path) -> None:
    text = (folder / "2024_SPENDING_Q1.csv").read_text(encoding="utf-8-sig")
    copy = tmp_path / "2024_SPENDING_Q1.csv"
    with (folder / copy.name).open(encoding="utf-8-sig", newline="") as file:
        first = next(iter(csv.DictReader(file)))
    head, row, rest = text.split("\n", 2)
    copy.write_text(f"{head}\n{row}\n{row}\n{rest}", encoding="utf-8")
    plan, report = read("am-2024", copy)
    line = "expenditure", first["program_code"], first["subprogram_code"]
    assert report.bad_rows == []
    assert _thousand(plan.statements[0][1].lines[line].executed) == 2 * Decimal(
        first["subprogram_actual"])  # fmt: skip


def test_a_report_with_a_bad_row_is_refused_whole(read, folder: Path, tmp_path: Path) -> None:
    text = (folder / "2024_SPENDING_Q1.csv").read_text(encoding="utf-8-sig")
    copy = tmp_path / "2024_SPENDING_Q1.csv"
    copy.write_text(text.replace(",304569.7,", ",-304569.7,", 1), encoding="utf-8")
    plan, report = read("am-2024", copy)
    assert plan.statements == []
    [bad] = report.bad_rows
    assert (bad.line, bad.column) == (2, "subprogram_actual")
    assert "not declared a contra line" in bad.reason


def test_a_file_of_no_declared_name_is_refused(read, folder: Path, tmp_path: Path) -> None:
    draft = tmp_path / "2026_BUDGET_LAW_DRAFT.csv"
    draft.write_bytes((folder / "2024_BUDGET_LAW.csv").read_bytes())
    with pytest.raises(LoadRefused, match="matches no file of the mapping"):
        read("am-2024", draft)
