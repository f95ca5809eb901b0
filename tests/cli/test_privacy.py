"""`qazyna erase` and `qazyna annex`: found by value, disclosed, verified offline, destroyed."""

import json
from pathlib import Path

import pytest

from tests.cli.program import BUDGET, ROADS, cli, command

NAME, NUMBER = "Қуаныш Бақытұлы", "850101300124"
NUMBERS = iter(range(7000, 8000))


@pytest.fixture
def paid(mine: Path) -> dict:
    """A payment to a person."""
    document = command("ExecutePayment", next(NUMBERS), BUDGET, "treasury", line=ROADS,
                       contract="C-1", amount="0.01", value_date="2025-01-13",
                       annex={"payee_name": NAME, "payee_number": NUMBER})  # fmt: skip
    assert cli("post", "--home", mine, stdin=json.dumps(document)).code == 0
    return document


def erase(mine: Path, of: dict, *more: str):
    return cli("erase", of["command_id"], "--budget", BUDGET, "--actor", "officer-7", "--act",
               "order 7", "--act-date", "2025-02-18", "--reason", "storage period over",
               "--home", mine, "--json", *more)  # fmt: skip


def disclosed(mine: Path, of: dict, out: Path) -> dict:
    shown = cli("annex", "disclose", of["command_id"], "--budget", BUDGET, "--home", mine,
                "--out", out)  # fmt: skip
    assert shown.code == 0, shown
    return json.loads(out.read_text())


def test_a_person_is_found_disclosed_verified_and_erased(mine: Path, paid: dict, tmp_path: Path):
    found = cli("annex", "find", NAME, "--home", mine, "--json").json
    assert {"budget": BUDGET, "command_id": paid["command_id"], "field": "payee_name"} in found
    out = tmp_path / "shown.json"
    assert disclosed(mine, paid, out)["opened"]["payee_number"]["value"] == NUMBER
    assert out.stat().st_mode & 0o777 == 0o600
    verified = cli("annex", "verify", out)
    assert (verified.code, NAME in verified.out) == (0, True)
    out.write_text(out.read_text().replace(NAME, "Somebody"))
    refused = cli("annex", "verify", out)
    assert (refused.code, "NOT VERIFIED" in refused.err) == (1, True)
    ended = erase(mine, paid)
    assert (ended.code, ended.json["status"]) == (0, "accepted")
    assert disclosed(mine, paid, out)["opened"] == {}
    assert cli("annex", "shred", "--home", mine).code == 0
    assert cli("annex", "check", "--home", mine, "--json").json == {"ok": True, "findings": []}
    assert cli("check", "--home", mine).code == 0
    assert cli("replay", "--home", mine).code == 0


def test_one_field_is_erased_and_the_order_can_be_repeated(mine: Path, paid: dict, tmp_path: Path):
    order = "00000000-0000-7000-8000-00000000a001"
    for replayed in (False, True):
        ended = erase(mine, paid, "--field", "payee_number", "--command-id", order)
        assert (ended.code, ended.json["replayed"]) == (0, replayed)
    assert set(disclosed(mine, paid, tmp_path / "out")["opened"]) == {"payee_name"}


def test_an_order_of_somebody_without_the_right_is_refused(mine: Path, paid: dict, tmp_path: Path):
    assert erase(mine, paid, "--capacity", "akim").code == 1
    assert len(disclosed(mine, paid, tmp_path / "out")["opened"]) == 2


def test_what_does_not_exist_is_named(mine: Path):
    nobody = "00000000-0000-7000-8000-00000000ffff"
    ended = cli("annex", "disclose", nobody, "--budget", BUDGET, "--home", mine)
    assert (ended.code, "unknown-annex" in ended.err) == (2, True)
    assert cli("annex", "find", "nobody", "--home", mine).out == ""
