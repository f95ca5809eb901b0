"""`qazyna post` and `qazyna load`."""

import json
from pathlib import Path

from tests.cli.conftest import BUDGET, command, first_commands, ndjson, payment

MAPPING = """
name = "trial"
title = "A small table"
jurisdiction = "kz"
unit = 1000
source = { name = "a table", recorded_on = 2024-12-12 }

[opening]
"""


def test_the_same_commands_again_are_replayed(cli, home: Path) -> None:
    posted = cli("post", "--home", home, "--json", stdin=ndjson(first_commands()))
    assert posted.code == 0
    assert [verdict["replayed"] for verdict in posted.json] == [True] * 6
    assert [verdict["position"] for verdict in posted.json] == [1, 2, 5, 8, 9, 10]
