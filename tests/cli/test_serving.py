"""`qazyna serve`, and several processes on one home."""

import json
import os
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


def test_a_service_stops_in_order_and_keeps_what_it_took_also_when_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home) as service:
        wait_for(lambda: ask(f"{service.url}/readyz")["status"] == "ready")
        posted = cli("post", "--url", service.url, stdin=ndjson(first_commands()))
        assert (posted.code, posted.err) == (0, "")
        beside = ndjson([payment(6, "300.00"), payment(8, "10.00")])
        guest = cli("post", "--home", home, "--json", stdin=beside)
        assert guest.code == 0, guest
        assert [verdict["replayed"] for verdict in guest.json] == [True, False]
        assert cli("post", "--url", service.url, stdin=ndjson([payment(9, "10.00")])).code == 0
        shown = cli("report", "execution", BUDGET, "--url", service.url, "--json").json
        assert shown["totals"][1]["executed"] == "320.00"
        assert service.end(signal.SIGTERM) == 0
    with serving(home) as service:
        assert ask(f"{service.url}/v1/budgets/{BUDGET}")["position"] == 12
        assert cli("post", "--url", service.url, stdin=ndjson([payment(10, "1.00")])).code == 0
        service.end(signal.SIGKILL)
    assert cli("check", "--home", home) == (0, "", "")
    replayed = cli("replay", "--home", home, "--budget", BUDGET, "--json")
    assert replayed.code == 0, replayed
    assert replayed.json["ok"]
    assert replayed.json["events_per_second"] > 0


def test_the_port_and_the_home_of_another_are_refused_clearly(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as service:
        port = service.url.rpartition(":")[2]
        taken = cli("serve", "--home", tmp_path / "other", "--port", port)
        assert taken.code == 3
        assert taken.err.startswith("unavailable: cannot listen on 127.0.0.1:")
        owned = cli("serve", "--home", tmp_path / "home", "--port", "0", "--json")
        assert owned.code == 3
        assert owned.json["code"] == "embedded-home-in-use"
        assert service.end(signal.SIGINT) == 0


def test_a_service_starts_its_killed_database_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home) as service:
        assert cli("post", "--url", service.url, stdin=ndjson(first_commands())).code == 0
        server = int((home / "pgdata" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(server, signal.SIGKILL)
        posted = cli("post", "--url", service.url, "--json", stdin=ndjson([payment(8, "10.00")]))
        assert posted.code == 0, posted
        assert posted.json["position"] == 11


def test_many_processes_on_one_home_lose_nothing(home: Path) -> None:
    """The first owns the server and waits for the others before it stops it."""
    processes = []
    for number in range(3):
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "post", "--home", home, "--json"],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(), cwd=ROOT,
        )  # fmt: skip
        process.stdin.write(ndjson([payment(100 + 10 * number + n, "1.00") for n in range(10)]))
        process.stdin.close()
        process.stdin = None
        processes.append(process)
    positions = []
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err + out
        positions += [verdict["position"] for verdict in json.loads(out)]
    assert sorted(positions) == list(range(min(positions), min(positions) + 30))
    assert cli("check", "--home", home) == (0, "", "")
