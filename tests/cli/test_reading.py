"""`qazyna report` and `qazyna history`, on the ledger of a home."""

from pathlib import Path

from tests.cli.program import BUDGET, ROADS, ROOT, cli


def test_the_execution_report_is_a_table_with_totals_and_its_sequence(home: Path) -> None:
    shown = cli("report", "execution", BUDGET, "--home", home, "--known", "2025-02-19")
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert lines[0].startswith(f"{BUDGET}: effective 2025-02-18, as known at sequence ")
    [roads] = [line for line in lines if line.startswith("expenditure 12 458 023 ")]
    assert roads.endswith("Автомобильные дороги")
    assert "1 000    1 000     1 000" in roads
    assert any(line.startswith("= expenditure ") for line in lines)
    assert any(line.startswith("V ") for line in lines)
    assert lines[-1].startswith("true for sequence ")


def test_the_execution_report_answers_as_of_a_day_and_by_prefix(home: Path) -> None:
    arguments = ["report", "execution", BUDGET, "--home", home, "--json", "--effective",
                 "2025-01-12", "--level", "2", "--prefix", "expenditure"]  # fmt: skip
    found = cli(*arguments).json
    assert [row["line"] for row in found["rows"]] == [ROADS[:2]]
    assert (found["rows"][0]["accepted"], found["rows"][0]["executed"]) == ("500.00", "0.00")


def test_an_unknown_budget_or_day_is_named(home: Path) -> None:
    unknown = cli("report", "execution", "KZ-2025-none", "--home", home)
    assert (unknown.code, unknown.err) == (2, "unknown-budget: no budget KZ-2025-none is open\n")
    bad = cli("report", "execution", BUDGET, "--home", home, "--effective", "soon", "--json")
    assert (bad.code, bad.json["code"]) == (2, "invalid-parameter")


def test_history_tells_who_what_why_and_the_figures_before_and_after(home: Path) -> None:
    told = cli("history", "--home", home, "--contract", "C-1", "--limit", "2")
    assert told.code == 0
    assert "budget.commitment.registered  treasury-1 (treasury)" in told.out
    assert "act document 5 of 2025-01-10" in told.out
    assert "contract accepted: 0 → 500" in told.out
    assert told.err.startswith("note: there may be more: --after ")
    found = cli("history", "--home", home, "--budget", BUDGET, "--json", "--line", ROADS[0])
    changes = [change for row in found.json["items"] for change in row["changes"]]
    assert {
        "subject": "line",
        "measure": "executed",
        "before": "0.00",
        "after": "300.00",
    } in changes


def test_transfers_of_the_republic_are_paired(tmp_path: Path) -> None:
    mapping = ROOT / "deploy" / "mappings" / "kz-republic-2025.toml"
    loaded = cli("load", mapping, "--home", tmp_path / "home", "--json")
    assert loaded.code == 0, loaded
    assert loaded.json["ok"]
    controls = {found["name"]: found["found"] for found in loaded.json["controls"]}
    assert controls["revenues"] == "21392054673000.00"
    assert controls["expenditures"] == "25193022392000.00"
    shown = cli("report", "transfers", "KZ-2025-republic", "--home", tmp_path / "home",
                "--unit", "1000")  # fmt: skip
    assert shown.code == 0, shown
    assert any("504 192 231" in line or "subvention" in line for line in shown.out.splitlines())
