"""A mapping opened its budgets in the ledger of another country; now nothing is posted."""

from pathlib import Path

from tests.cli.program import cli, serving

ARMENIA, KAZAKHSTAN = "deploy/mappings/am-2024.toml", "deploy/mappings/kz-republic-2025.toml"


def test_nothing_is_posted_to_a_ledger_of_another_country(tmp_path: Path) -> None:
    home, law = tmp_path / "home", tmp_path / "2024_BUDGET_LAW.csv"
    law.write_text("", encoding="utf-8")
    assert cli("load", KAZAKHSTAN, "--home", home, QAZYNA_CLOCK="2025-01-03").code == 0
    before = cli("export", "events", "--home", home).out
    with serving(home) as service:
        for place in (("--home", home), ("--url", service.url)):
            ended = cli("load", ARMENIA, law, *place)
            assert ended.code == 2, ended
            assert "wrong-jurisdiction: the mapping is made for AM, the ledger is of" in ended.err
    assert cli("export", "events", "--home", home).out == before
