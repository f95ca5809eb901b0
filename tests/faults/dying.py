"""`qazyna serve` with the named points in it: `python -m tests.faults.dying serve …`.

QAZYNA_TEST_POINT names the file that arms a point; QAZYNA_TEST_IMPATIENT lets the service wait
less for a database that is away, so that a test of its answers need not last. With `--nursery`
each line of standard input, an object of environment variables, becomes one service: forked from
a process that has imported everything, so that a service which dies costs no start of Python.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

import api.app
import api.cli.serving
import api.home
from api.cli import main
from ledger.store import append
from tests.faults.points import install

ARMED = "QAZYNA_TEST_POINT"
IMPATIENT = "QAZYNA_TEST_IMPATIENT"
PR_SET_PDEATHSIG = 1


def nursery() -> None:
    """Fork a service for each line and tell its process id and its end."""
    _end_with_parent()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _end_with_parent()
            os.environ |= json.loads(line)
            sys.argv[1:] = ["serve", "--port", "0"]
            main()
            return
        sys.stdout.write(f"child {child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"ended {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _end_with_parent() -> None:
    """Let no service outlive a test run that was killed (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    install(Path(os.environ[ARMED]))
    if IMPATIENT in os.environ:
        append.GIVE_UP_SECONDS, api.home.RETRY_SECONDS = 0.5, 0.5
    if sys.argv[1:] == ["--nursery"]:
        nursery()
    else:
        main()
