"""Real witness processes: killed at every place, full disks, restarts, two on one folder."""

import random
import resource
import signal
import threading
from pathlib import Path

import httpx
import pytest

from ledger.proofs.verify import Key, Note, Trust
from tests.cli.program import cli
from tests.witness.conftest import ORIGIN, Log, digest
from tests.witness.program import POINTS, WitnessProcess, witnessing

NAME = "witness.example/1"


@pytest.fixture
def policy(tmp_path: Path, log: Log) -> Path:
    path = tmp_path / "policy"
    path.write_text(f"log {log.signer.key.text}\nquorum none\n")
    return path


@pytest.mark.parametrize("point", POINTS)
def test_a_witness_killed_between_record_and_answer_never_contradicts_itself(
    tmp_path: Path, policy: Path, log: Log, fork: Log, point: str
) -> None:
    home = tmp_path / "home"
    with witnessing(home, policy, name=NAME) as witness:
        assert witness.ask(log.request(0, 20)).status_code == 200
    dying = WitnessProcess(home, policy, dies=point)
    with pytest.raises(httpx.TransportError):
        dying.ask(log.request(20, 30))
    assert dying.end() == -signal.SIGKILL  # the fault was there
    with witnessing(home, policy) as witness:
        known = POINTS[point]
        assert witness.ask(fork.request(known, known)).status_code == 422
        assert witness.ask(log.request(5, 30)).text == f"{known}\n"
        assert witness.ask(log.request(known, 30)).status_code == 200
        shown = httpx.get(f"{witness.url}/{digest()}/checkpoint")
        assert shown.content.startswith(log.head(30).text)


def test_random_kills_lose_no_cosigned_size(tmp_path: Path, policy: Path, log: Log) -> None:
    """What was answered is in the record after every kill."""
    home, chance, acked = tmp_path / "home", random.Random(20), 0
    for _ in range(4):
        witness = WitnessProcess(home, policy, name=NAME)
        killer = threading.Timer(chance.uniform(0.01, 0.15), witness.process.kill)
        known = int(witness.ask(log.request(300, 300)).text)
        assert known >= acked
        killer.start()
        try:
            for size in range(known + 1, 301):
                assert witness.ask(log.request(known, size)).status_code == 200
                known = acked = size
        except httpx.TransportError:
            pass
        killer.join()
        assert witness.end() == -signal.SIGKILL
    assert acked > 0
    with witnessing(home, policy) as witness:
        assert int(witness.ask(log.request(300, 300)).text) >= acked


def test_a_full_disk_stops_cosigning_and_forgets_nothing(
    tmp_path: Path, policy: Path, log: Log
) -> None:
    with witnessing(tmp_path / "home", policy, name=NAME) as witness:
        assert witness.ask(log.request(0, 20)).status_code == 200
        pid = witness.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
        assert witness.ask(log.request(20, 30)).status_code == 500
        assert witness.ask(log.request(5, 30)).text == "20\n"
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        assert witness.ask(log.request(20, 30)).status_code == 200


def test_a_witness_ends_in_order_and_remembers(tmp_path: Path, policy: Path, log: Log) -> None:
    home = tmp_path / "home"
    with witnessing(home, policy, name=NAME) as witness:
        key, answer = Key.parse(witness.key), witness.ask(log.request(0, 20))
        Trust((log.signer.key,), ORIGIN, (key,), 1).open(log.note(20) + answer.content)
        assert httpx.get(f"{witness.url}/healthz").text == f"{key.text}\n"
        other = cli("witness", "--home", home, "--policy", policy, "--port", "0", "--json")
        assert (other.code, other.json["code"]) == (3, "unavailable")
        assert witness.end() == 0
    assert cli("witness", "--home", home, "--show-key").out == f"{key.text}\n"
    with witnessing(home, policy) as witness:
        assert Key.parse(witness.key) == key
        assert witness.ask(log.request(0, 20)).text == "20\n"


def test_one_connection_serves_many_requests(tmp_path: Path, policy: Path, log: Log) -> None:
    with (
        witnessing(tmp_path / "home", policy, name=NAME) as witness,
        httpx.Client(base_url=witness.url, limits=httpx.Limits(max_connections=1)) as client,
    ):
        for size in range(5):
            body = log.request(size, size + 1)
            answer = client.post("/add-checkpoint", content=body)
            assert answer.status_code == 200
            assert answer.headers.get("connection", "keep-alive") == "keep-alive"
            Note.parse(log.note(size + 1) + answer.content)


def test_what_cannot_be_served_is_refused_before_it_listens(tmp_path: Path, policy: Path) -> None:
    nameless = cli("witness", "--home", tmp_path / "w", "--policy", policy, "--json")
    assert (nameless.code, "no key" in nameless.json["detail"]) == (2, True)
    logless = cli("witness", "--home", tmp_path / "w", "--name", NAME, "--json")
    assert (logless.code, "--policy" in logless.json["detail"]) == (2, True)
    broken = tmp_path / "broken"
    broken.write_text("quorum none\nquorum none\n")
    unread = cli("witness", "--home", tmp_path / "w", "--name", NAME, "--policy", broken, "--json")
    assert (unread.code, "line 2" in unread.json["detail"]) == (2, True)
    absent = cli("witness", "--home", tmp_path / "w", "--name", NAME, "--policy", tmp_path / "no")
    assert (absent.code, absent.err.startswith("unreadable")) == (2, True)
    made = cli("witness", "--home", tmp_path / "w", "--name", NAME, "--show-key")
    assert made.code == 0
    record = tmp_path / "w" / f"{digest()}.checkpoint"
    record.write_text("nonsense")
    damaged = cli("witness", "--home", tmp_path / "w", "--policy", policy, "--json")
    assert (damaged.code, damaged.json["code"]) == (5, "broken")
