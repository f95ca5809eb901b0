"""A guest without QAZYNA_CLOCK posted at the real clock: the trial budget was closed for ever."""

from tests.cli.program import cli, first_commands, ndjson, payment


def test_a_guest_without_the_variable_has_the_trial_ledgers_clock(tmp_path):
    home = tmp_path / "home"
    assert cli("post", "--home", home, stdin=ndjson(first_commands())).code == 0
    posted = cli("post", "--home", home, "--json", stdin=ndjson([payment(7, "10.00")]),
                 QAZYNA_CLOCK="")  # fmt: skip
    assert posted.code == 0, posted
    assert "2025-02-18" in posted.out
    given_up = cli("post", "--home", home, "--json", stdin=ndjson([payment(8, "10.00")]),
                   QAZYNA_CLOCK="system")  # fmt: skip
    assert given_up.code == 1, given_up
    assert "year-closed" in given_up.out
