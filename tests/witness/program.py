"""A real `qazyna witness` process, also one that kills itself at a chosen place."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.cli.program import ROOT, environment

DYING = """
import os, signal, sys
from pathlib import Path
from ledger.proofs import witness

point = sys.argv.pop(1)
replace, add, write = Path.replace, witness.Witness.add_checkpoint, witness.write_whole

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def replace_and_die(fresh, path):
    replace(fresh, path)
    die()

def add_and_die(*arguments):
    add(*arguments)
    die()

if point == "before the record":
    witness.write_whole = die
elif point == "before it takes its place":
    Path.replace = die
elif point == "after it took its place":
    Path.replace = replace_and_die
elif point == "before the answer":
    witness.Witness.add_checkpoint = add_and_die
else:
    raise SystemExit(f"no such place: {point}")
from api.cli import main
main()
"""
POINTS = {
    "before the record": 20, "before it takes its place": 20,
    "after it took its place": 30, "before the answer": 30,
}  # fmt: skip
"""Where the witness dies while it goes from size 20 to 30, and the size it must know afterwards."""


class WitnessProcess:
    """A witness that serves until it is ended."""

    def __init__(
        self, home: Path, policy: Path, *, port: int = 0, name: str | None = None,
        dies: str | None = None,
    ) -> None:  # fmt: skip
        program = ["-m", "api.cli"] if dies is None else ["-c", DYING, dies]
        named = ["--name", name] if name else []
        self.process = subprocess.Popen(
            [sys.executable, *program, "witness", "--home", home, "--policy", policy, "--json",
             "--port", str(port), *named],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd=ROOT,
        )  # fmt: skip
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        told = json.loads(line)
        self.url, self.key = told["url"], told["key"]

    def ask(self, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.url}/add-checkpoint", content=body, timeout=20)

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


@contextmanager
def witnessing(home: Path, policy: Path, **options: object) -> Iterator[WitnessProcess]:
    started = WitnessProcess(home, policy, **options)
    try:
        yield started
    finally:
        started.end()
