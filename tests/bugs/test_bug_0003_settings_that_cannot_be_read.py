"""A clock or a log level that is none gave a traceback, an empty DATABASE_URL counted as one."""

from pathlib import Path

from tests.cli.program import cli


def test_a_clock_that_is_no_moment_is_named(tmp_path: Path) -> None:
    ended = cli("serve", "--home", tmp_path / "home", QAZYNA_CLOCK="yesterday")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("invalid-settings: clock: ")
    assert "Traceback" not in ended.err
    assert not (tmp_path / "home").exists()


def test_an_unknown_log_level_is_named(tmp_path: Path) -> None:
    ended = cli("check", "--home", tmp_path / "home", QAZYNA_LOG_LEVEL="loud")
    assert ended.code == 2
    assert "Traceback" not in ended.err


def test_an_empty_database_url_is_none(tmp_path: Path) -> None:
    ended = cli("check", "--home", tmp_path / "home", DATABASE_URL="")
    assert ended.err.startswith("no-ledger: "), ended


def test_an_address_of_no_postgresql_server_is_not_waited_for(tmp_path: Path) -> None:
    ended = cli("check", "--home", tmp_path / "home", DATABASE_URL="mysql://db/ledger")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("invalid-settings: DATABASE_URL: ")
