"""Homes for the real executable; nothing is mocked."""

from pathlib import Path

import pytest

from tests.cli.program import cli, first_commands, ndjson


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the small budget in it; tests that add to it use a budget of their own."""
    folder = tmp_path_factory.mktemp("cli") / "home"
    posted = cli("post", "--home", folder, stdin=ndjson(first_commands()))
    assert posted.code == 0, posted
    return folder
