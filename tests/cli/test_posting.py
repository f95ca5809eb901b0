"""`qazyna post` and `qazyna load`."""

import json
from pathlib import Path

from tests.cli.program import BUDGET, ROOT, cli, command, first_commands, ndjson, payment

BRITAIN = ROOT / "deploy" / "mappings" / "gb-cabinet-office.toml"
HEADER = "Department family,Entity,Date,Expense Type,Expense Area,Transaction number,Amount"


def test_the_same_commands_again_are_replayed(home: Path) -> None:
    posted = cli("post", "--home", home, "--json", stdin=ndjson(first_commands()))
    assert posted.code == 0
    assert [verdict["replayed"] for verdict in posted.json] == [True] * 6
    assert [verdict["position"] for verdict in posted.json] == [1, 2, 5, 8, 9, 10]


def test_a_refused_command_names_the_rule_and_the_figures(home: Path, tmp_path: Path) -> None:
    asked = payment(7, "200.01")
    file = tmp_path / "payment.json"
    file.write_text(json.dumps(asked, indent=2))
    told = cli("post", file, "--home", home)
    assert (told.code, told.out) == (1, "")
    assert told.err.startswith("limit-exceeded: ")
    assert "asked 200.01, available 200.00" in told.err
    assert told.err.count("\n") == 1
    as_json = cli("post", file, "--home", home, "--json")
    assert as_json.code == 1
    assert as_json.json["code"] == "limit-exceeded"
    assert as_json.json["limits"][0]["available"] == "200.00"
    assert as_json.json["replayed"] is True


def test_one_unreadable_command_does_not_stop_the_others(home: Path) -> None:
    other = command("OpenBudget", 20, "KZ-2025-trial-rayon", "treasury", date="2024-12-10",
                    region=19, level=3, year=2025, title="A rayon", parent=BUDGET)  # fmt: skip
    posted = cli("post", "-", "--home", home, stdin=ndjson([{"command": "Nothing"}, other]))
    assert posted.code == 2
    assert "accepted KZ-2025-trial-rayon:1" in posted.out
    assert posted.err == "command 1: invalid-command: unknown command 'Nothing'\n"


def test_atomic_writes_all_or_nothing(home: Path) -> None:
    both = [command("CreditReceipt", 30, BUDGET, "treasury", amount="1.00",
                    line=["revenue", "1", "01", "1"], value_date="2025-01-14"),
            payment(31, "999.00")]  # fmt: skip
    posted = cli("post", "--atomic", "--home", home, "--json", stdin=json.dumps(both))
    assert posted.code == 1
    assert [verdict["code"] for verdict in posted.json] == ["withheld", "limit-exceeded"]
    assert {verdict["position"] for verdict in posted.json} == {None}


def test_input_that_cannot_be_used_ends_with_2(home: Path, tmp_path: Path) -> None:
    for arguments, stdin in (
        (["post", "--home", home], "{bad"),
        (["post", tmp_path / "missing.json", "--home", home], ""),
        (["load", BRITAIN, tmp_path / "other.csv", "--home", home], ""),
        (["post", "--port", "1"], ""),
    ):
        ended = cli(*arguments, stdin=stdin)
        assert ended.code == 2, arguments
        assert "Traceback" not in ended.err
        assert ended.err


def test_no_service_behind_a_url_means_try_again(tmp_path: Path) -> None:
    ended = cli("post", "--url", "http://127.0.0.1:9", "--json", stdin=ndjson([payment(1, "1.00")]))
    assert ended.code == 3
    assert ended.json["code"] == "unavailable"


def test_load_reports_bad_rows_and_changes_nothing_the_second_time(tmp_path: Path) -> None:
    home, table = tmp_path / "home", tmp_path / "2020-04.csv"
    row = "Cabinet Office,Cabinet Office,{day},Rent,Estates,{number},{amount}"
    good = row.format(day="2020-04-03", number=1, amount="25000.10")
    bad = row.format(day="2020-04-31", number=2, amount="25000.20")
    table.write_text(f"{HEADER}\n{good}\n{bad}\n{good}\n")
    first = cli("load", BRITAIN, table, "--home", home, QAZYNA_CLOCK="2021-06-01T09:00:00+00:00")
    assert first.code == 1
    assert "3 commands from 1 file(s)" in first.out  # a budget is opened, two rows are paid
    assert first.err == "2020-04.csv:3:Date: '2020-04-31' is not a day\n"
    again = cli("load", BRITAIN, table, "--home", home, "--json")
    assert again.code == 1
    assert (again.json["accepted"], again.json["replayed"]) == (0, 3)
    assert again.json["bad_rows"] == [{"file": "2020-04.csv", "line": 3, "column": "Date",
                                       "reason": "'2020-04-31' is not a day"}]  # fmt: skip
    nothing = cli("load", BRITAIN, table, "--home", home, "--atomic", "--json")
    assert (nothing.code, nothing.json["commands"]) == (1, 0)
