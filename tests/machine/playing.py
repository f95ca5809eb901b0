"""How long the machine is played: a dose for `make test`, or seconds; its seed is printed.

`python -m tests.machine.playing SECONDS` plays as long as told (`make soak`).
"""

import itertools
import json
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.traffic import SEED
from tests.machine.ground import Ground
from tests.machine.machine import Machine, Tally

EXAMPLES = 10
"""Examples of a dose, and of each turn of a longer run."""
STEPS = 40
"""Most steps of an example."""
REPORT = Path("var/soak")
PHASES = (Phase.generate, Phase.shrink) if os.environ.get("QAZYNA_SHRINK") else (Phase.generate,)
"""Shrinking plays hundreds of examples: only when somebody asks for it."""
SETTINGS = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None, print_blob=True,
    phases=PHASES, suppress_health_check=list(HealthCheck),
)  # fmt: skip


def play(ground: Ground, tally: Tally, *, seed: int = SEED, seconds: float = 0) -> None:
    """Play a dose, then further ones under the next seeds until the seconds are over.

    A dose in which something that must happen did not happen is followed by one more.
    """
    until = time.monotonic() + seconds
    for turns in itertools.count(1):
        sys.stdout.write(f"QAZYNA_SEED={seed} machine\n")
        turn(ground, tally, seed)
        seed += 1
        if time.monotonic() >= until and (turns > 1 or not tally.missing):
            return


def turn(ground: Ground, tally: Tally, number: int) -> None:
    """Play one dose under one seed."""
    machine = partial(Machine, ground, tally)
    run_state_machine_as_test(seed(number)(machine), settings=SETTINGS)


def main(seconds: str) -> None:
    """Play, print what was counted and leave it in a report."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder, Ground(Path(folder)) as ground:
        play(ground, tally, seconds=float(seconds))
    REPORT.mkdir(parents=True, exist_ok=True)
    REPORT.joinpath("machine.json").write_text(json.dumps(tally.document(), indent=2))
    sys.stdout.write(f"{tally}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
