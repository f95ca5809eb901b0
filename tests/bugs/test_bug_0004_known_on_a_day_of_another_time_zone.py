"""What was recorded in Almaty on the 19th at 2 in the morning was "known" on the 18th."""

from pathlib import Path

import pytest

from tests.cli.program import cli

MAPPING, BUDGET = "deploy/mappings/kz-republic-2025.toml", "KZ-2025-republic"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zone") / "home"
    assert (
        cli("load", MAPPING, "--home", folder, QAZYNA_CLOCK="2025-01-31T09:00:00+05:00").code == 0
    )
    night = {"QAZYNA_CLOCK": "2025-02-19T02:00:00+05:00"}
    assert cli("post", "deploy/examples/2-receipt.json", "--home", folder, **night).code == 0
    return folder


@pytest.mark.parametrize(("known", "executed"), [
    ("2025-02-18", "0.00"), ("2025-02-19", "900000000.00"),
    ("2025-02-19T01:59:59", "0.00"), ("2025-02-19T02:59:59", "900000000.00"),
    ("2025-02-18T20:59:59Z", "0.00"), ("2025-02-18T21:59:59Z", "900000000.00"),
])  # fmt: skip
def test_a_day_ends_in_the_ledgers_own_time_zone(home: Path, known: str, executed: str) -> None:
    found = cli("report", "execution", BUDGET, "--home", home, "--level", "1", "--json",
                "--effective", "2025-02-28", "--known", known).json  # fmt: skip
    [revenue] = [row for row in found["rows"] if row["line"] == ["revenue"]]
    assert revenue["executed"] == executed
    pairs = cli("report", "transfers", BUDGET, "--home", home, "--json", "--known", known).json
    assert pairs["known"] == found["known"]
