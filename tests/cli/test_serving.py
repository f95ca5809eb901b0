"""`qazyna serve`, and several processes on one home."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import (
    BUDGET,
    ROOT,
    Service,
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


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with the small budget."""
    with serving(tmp_path_factory.mktemp("serving") / "home") as started:
        wait_for(lambda: ask(f"{started.url}/readyz")["status"] == "ready")
        posted = cli("post", "--url", started.url, stdin=ndjson(first_commands()))
        assert (posted.code, posted.err) == (0, "")
        yield started


def test_a_command_works_beside_a_service_as_it_does_through_it(service: Service) -> None:
    beside = ndjson([payment(6, "300.00"), payment(8, "10.00")])
    guest = cli("post", "--home", service.home, "--json", stdin=beside)
    assert guest.code == 0, guest
    assert [verdict["replayed"] for verdict in guest.json] == [True, False]
    assert cli("post", "--url", service.url, stdin=ndjson([payment(9, "10.00")])).code == 0
    shown = cli("report", "execution", BUDGET, "--url", service.url, "--json").json
    assert shown["totals"][1]["executed"] == "320.00"


def test_the_port_and_the_home_of_another_are_refused_clearly(
    service: Service, tmp_path: Path
) -> None:
    port = service.url.rpartition(":")[2]
    taken = cli("serve", "--home", tmp_path / "other", "--port", port)
    assert taken.code == 3
    assert taken.err.startswith("unavailable: cannot listen on 127.0.0.1:")
    owned = cli("serve", "--home", service.home, "--port", "0", "--json")
    assert (owned.code, owned.json["code"]) == (3, "embedded-home-in-use")


def test_a_service_starts_its_killed_database_again(service: Service) -> None:
    server = int((service.home / "pgdata" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(server, signal.SIGKILL)
    posted = cli("post", "--url", service.url, stdin=ndjson([payment(20, "10.00")]))
    assert posted.code == 0, posted


def test_a_stopped_and_a_killed_service_keep_what_they_took(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home) as service:
        assert cli("post", "--url", service.url, stdin=ndjson(first_commands())).code == 0
        assert service.end(signal.SIGTERM) == 0
    with serving(home) as service:
        assert ask(f"{service.url}/v1/budgets/{BUDGET}")["position"] == 10
        assert cli("post", "--url", service.url, stdin=ndjson([payment(10, "1.00")])).code == 0
        service.end(signal.SIGKILL)
    assert cli("check", "--home", home) == (0, "", "")
    replayed = cli("replay", "--home", home, "--budget", BUDGET, "--json")
    assert replayed.code == 0, replayed
    assert replayed.json["ok"]
    assert replayed.json["events_per_second"] > 0


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
