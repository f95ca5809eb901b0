"""`qazyna serve`, and several processes on one home."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.cli.program import (
    BUDGET,
    ROOT,
    cli,
    environment,
    first_commands,
    ndjson,
    payment,
    serving,
    wait_for,
)


def ask(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def test_a_service_takes_postings_stops_in_order_and_keeps_them(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home) as service:
        wait_for(lambda: ask(f"{service.url}/readyz")["status"] == "ready")
        posted = cli("post", "--url", service.url, stdin=ndjson(first_commands()))
        assert (posted.code, posted.err) == (0, "")
        beside = cli("post", "--home", home, "--json", stdin=json.dumps(payment(6, "300.00")))
        assert (beside.code, beside.json["replayed"]) == (0, True)
        new = cli("post", "--home", home, stdin=json.dumps(payment(8, "10.00")))
        assert new.code == 0, new
        assert cli("post", "--url", service.url, stdin=json.dumps(payment(9, "10.00"))).code == 0
        assert service.end(signal.SIGTERM) == 0
    with serving(home) as service:
        budget = ask(f"{service.url}/v1/budgets/{BUDGET}")
        assert budget["position"] == 12
        assert service.end(signal.SIGINT) == 0


def test_a_killed_service_leaves_a_ledger_that_checks_and_replays(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home) as service:
        posted = cli("post", "--url", service.url, stdin=ndjson(first_commands()))
        assert posted.code == 0
        service.end(signal.SIGKILL)
    assert cli("check", "--home", home) == (0, "", "")
    replayed = cli("replay", "--home", home, "--json").json
    assert replayed["ok"]
    assert replayed["commands"] >= len(first_commands())


def test_the_port_and_the_home_of_another_are_refused_clearly(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as service:
        port = service.url.rpartition(":")[2]
        taken = cli("serve", "--home", tmp_path / "other", "--port", port)
        assert taken.code == 3
        assert taken.err.startswith("unavailable: cannot listen on 127.0.0.1:")
        owned = cli("serve", "--home", tmp_path / "home", "--port", "0", "--json")
        assert owned.code == 3
        assert owned.json["code"] == "embedded-home-in-use"


def test_many_processes_on_one_home_lose_nothing(tmp_path: Path) -> None:
    """The first owns the server and waits for the others before it stops it."""
    home = tmp_path / "home"
    posted = cli("post", "--home", home, stdin=ndjson(first_commands()))
    assert posted.code == 0, posted
    processes = []
    for number in range(4):
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "post", "--home", home, "--json"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(), cwd=ROOT,
        )  # fmt: skip
        commands = [payment(100 + 10 * number + n, "1.00") for n in range(10)]
        process.stdin.write(ndjson(commands))
        process.stdin.close()
        process.stdin = None
        processes.append(process)
    positions = []
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err + out
        positions += [verdict["position"] for verdict in json.loads(out)]
    assert sorted(positions) == list(range(11, 51))
    assert cli("check", "--home", home) == (0, "", "")
