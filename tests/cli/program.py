"""The real executable as the tests run it, and a small budget to post."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

ROOT = Path(__file__).parents[2]
READY = re.compile(r"ready at (http://\S+)")


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def environment(**changed: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith("QAZYNA_") and k != "DATABASE_URL"}  # fmt: skip
    return {**kept, "PYTHONPATH": str(ROOT), "QAZYNA_CLOCK": "2025-02-18T09:00:00+05:00", **changed}


def cli(*arguments: object, stdin: str = "", **changed: str) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", *map(str, arguments)], input=stdin, text=True,
        capture_output=True, env=environment(**changed), cwd=ROOT, timeout=120, check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


class Service:
    """A running `qazyna serve`; `module` may name another program that serves."""

    def __init__(
        self, home: Path, *, log: IO[str] | int = subprocess.PIPE, module: str = "api.cli",
        **changed: str,
    ) -> None:  # fmt: skip
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "serve", "--home", home, "--port", "0"],
            stdout=subprocess.PIPE, stderr=log, text=True, env=environment(**changed), cwd=ROOT,
        )  # fmt: skip
        line = self.process.stdout.readline()
        found = READY.search(line)
        assert found, line + (self.process.stderr.read() if self.process.stderr else str(log))
        self.url = found[1]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


@contextmanager
def serving(home: Path) -> Iterator[Service]:
    service = Service(home)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.end(signal.SIGTERM)


def command(name: str, number: int, budget: str, capacity: str, **fields: object) -> dict:
    """A command of 2025 with everything that every command has."""
    return {
        "command": name, "command_id": f"00000000-0000-7000-8000-{number:012}", "budget": budget,
        "actor": {"id": f"{capacity}-1", "capacity": capacity},
        "act": {"id": f"document {number}", "date": fields.pop("date", "2025-01-10")}, **fields,
    }  # fmt: skip


BUDGET = "KZ-2025-trial-oblast"
TAX, ROADS = ["revenue", "1", "01", "1"], ["expenditure", "12", "458", "023"]


def first_commands() -> list[dict]:
    """A small budget: opened, approved, planned, with money and one payment."""
    months = [{"month": "2025-01", "amount": "900.00"}]
    return [
        command("OpenBudget", 1, BUDGET, "treasury", date="2024-12-10", region=19, level=2,
                year=2025, title="An oblast"),
        command("ApproveBudget", 2, BUDGET, "maslikhat", date="2024-12-12",
                effective_from="2025-01-01", balance="0.00", lines=[
                    {"line": TAX, "amount": "1000.00"},
                    {"line": ROADS, "amount": "1000.00", "title": "Автомобильные дороги"}]),
        command("SetPlan", 3, BUDGET, "treasury", effective_from="2025-01-05", lines=[
            {"line": ROADS, "commitments": months, "payments": months}]),
        command("CreditReceipt", 4, BUDGET, "treasury", line=TAX, amount="800.00",
                value_date="2025-01-10"),
        command("RegisterCommitment", 5, BUDGET, "treasury", contract="C-1", line=ROADS,
                amount="500.00", effective_from="2025-01-11"),
        payment(6, "300.00"),
    ]  # fmt: skip


def payment(number: int, amount: str) -> dict:
    return command("ExecutePayment", number, BUDGET, "treasury", line=ROADS, contract="C-1",
                   amount=amount, value_date="2025-01-13")  # fmt: skip


def ndjson(commands: list[dict]) -> str:
    return "".join(json.dumps(c, ensure_ascii=False) + "\n" for c in commands)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
