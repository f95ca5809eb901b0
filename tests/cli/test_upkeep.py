"""`qazyna check`, `replay`, `rebuild`, `export`, `migrate`, `version` and the help."""

import hashlib
import json
from pathlib import Path

from typer.testing import CliRunner

from api.cli.commands import COMMANDS, build
from api.cli.outcome import MEANING
from tests.cli.program import BUDGET, cli


def test_check_finds_nothing_when_all_is_well(home: Path) -> None:
    assert cli("check", "--home", home, "--json").json == {"ok": True, "findings": []}


def test_replay_decides_everything_again(home: Path) -> None:
    told = cli("replay", "--home", home)
    assert told.code == 0
    assert "events/s: all as stored" in told.out


def test_export_writes_the_stored_bytes(home: Path, tmp_path: Path) -> None:
    exported = cli("export", "events", "--home", home, "--budget", BUDGET)
    events = [json.loads(line) for line in exported.out.splitlines()]
    assert [event["position"] for event in events[:10]] == list(range(1, 11))
    log = int.from_bytes(hashlib.sha256(BUDGET.encode()).digest()[:8], "big") >> 1
    previous = b""
    for event in events:  # the chain of the log, design §2
        body = event["body"].encode()
        place = log.to_bytes(8, "big") + event["position"].to_bytes(8, "big")
        digest = hashlib.sha256(b"\x02" + previous + place + len(body).to_bytes(4, "big") + body)
        previous = digest.digest()
        assert previous.hex() == event["hash"]
    file = tmp_path / "events.ndjson"
    told = cli("export", "events", "--home", home, "--budget", BUDGET, "--after",
               events[2]["sequence"], "--out", file, "--json")  # fmt: skip
    assert told.json["events"] == len(events) - 3
    assert file.read_text().splitlines() == exported.out.splitlines()[3:]


def test_rebuild_compares_and_swaps(home: Path) -> None:
    rebuilt = cli("rebuild", "--home", home, "--json")
    assert rebuilt.code == 0
    assert {report["swapped"] for report in rebuilt.json} == {True}
    assert cli("rebuild", "nothing", "--home", home).code == 2


def test_a_home_without_a_ledger_is_not_made_by_a_question(tmp_path: Path) -> None:
    for arguments in (["check"], ["report", "execution", BUDGET]):
        ended = cli(*arguments, "--home", tmp_path / "none", "--json")
        assert (ended.code, ended.json["code"]) == (2, "no-ledger"), arguments
    assert not (tmp_path / "none").exists()


def test_migrate_and_version(home: Path) -> None:
    assert cli("migrate", "--home", home, "--json").json == {"applied": []}
    assert cli("version", "--json").json.keys() == {"version"}


def test_help_of_every_command_tells_the_exit_codes() -> None:
    for arguments in [[], *([name] for name in COMMANDS), ["report", "execution"]]:
        shown = CliRunner().invoke(build(None), [*arguments, "--help"])
        assert shown.exit_code == 0
        for code, meaning in MEANING.items():
            assert f"{code:>3}  {meaning}" in shown.output, shown.output
