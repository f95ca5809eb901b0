"""Homes for the real executable; nothing is mocked."""

from pathlib import Path

import pytest

from tests.cli.program import cli, first_commands, ndjson


def small_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a home with the small budget in it."""
    folder = tmp_path_factory.mktemp("cli") / "home"
    posted = cli("post", "--home", folder, stdin=ndjson(first_commands()))
    assert posted.code == 0, posted
    return folder


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that all read; tests that add to it use a budget of their own."""
    return small_home(tmp_path_factory)


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of one module, whose tests add to the small budget."""
    return small_home(tmp_path_factory)
