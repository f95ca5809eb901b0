"""A dose of the state machine: every fault fires, every kind of question is asked, nothing lost."""

import os
import sys

import pytest

from tests.faults.traffic import SEED
from tests.machine.ground import Ground
from tests.machine.machine import Tally
from tests.machine.playing import play


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    with Ground(tmp_path_factory.mktemp("machine")) as founded:
        yield founded


def test_whatever_is_asked_and_whatever_fails_the_oracle_agrees(ground) -> None:
    tally = Tally()
    seconds = float(os.environ.get("QAZYNA_MACHINE_SECONDS", "0"))
    play(ground, tally, seed=SEED, seconds=seconds)
    sys.stdout.write(f"{tally}\n")
    assert tally.missing == []
    assert tally.lost == 0
