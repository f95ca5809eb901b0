"""A real service and two real witnesses: one dies and comes back, and a restored backup is found.

What is published is judged by our verifier, run as its own program, and by `tlog-scales`.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as TheirCheckpoint

from ledger.proofs.policy import Policy
from ledger.proofs.verify import ProofError
from ledger.store.keys import Keys
from tests.cli.program import ROOT, Service, cli, environment, first_commands, ndjson, payment
from tests.witness.conftest import digest
from tests.witness.program import WitnessProcess

ORIGIN = "ledger.example/end-to-end"
SECONDS = 60


class Site:
    """A ledger's home, its witnesses, and the policies that name them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.key = Keys(self.home / "notary.key").create(ORIGIN)
        self.logs = folder / "logs"
        self.logs.write_text(f"log {self.key.text}\nquorum none\n")
        self.witnesses = [self.witness(number) for number in (0, 1)]
        self.ports = [int(one.url.rpartition(":")[2]) for one in self.witnesses]
        self.service: Service | None = None
        self.number = 100

    def witness(self, number: int, port: int = 0) -> WitnessProcess:
        name = f"witness{number}.example"
        return WitnessProcess(self.folder / f"w{number}", self.logs, name=name, port=port)

    def policy(self, quorum: int) -> Path:
        path = self.folder / f"policy-{quorum}"
        lines = [f"witness w{n} {one.key} {one.url}\n" for n, one in enumerate(self.witnesses)]
        path.write_text(f"log {self.key.text}\n{''.join(lines)}"
                        f"group both {quorum} w0 w1\nquorum both\n")  # fmt: skip
        return path

    def opened(self, note: bytes, quorum: int):
        return Policy.parse(self.policy(quorum).read_bytes()).open(note)

    def serve(self, quorum: int) -> None:
        with (self.folder / "service.log").open("a") as log:
            self.service = Service(self.home, log=log, QAZYNA_WITNESSES=str(self.policy(quorum)))

    def stop(self) -> None:
        assert self.service.end(signal.SIGTERM) == 0

    def kill(self, number: int) -> None:
        assert self.witnesses[number].end(signal.SIGKILL) == -signal.SIGKILL

    def revive(self, number: int) -> None:
        self.witnesses[number] = self.witness(number, self.ports[number])

    def post(self, many: int = 1) -> None:
        commands = []
        for _ in range(many):
            self.number += 1
            commands.append(payment(self.number, "1.00"))
        posted = cli("post", "--url", self.service.url, stdin=ndjson(commands))
        assert posted.code == 0, posted

    def sequence(self) -> int:
        return httpx.get(f"{self.service.url}/readyz").json()["sequence"]

    def checkpoint(self) -> tuple[int, bool, bytes]:
        """Size, mark and note of the newest checkpoint."""
        answer = httpx.get(f"{self.service.url}/checkpoint")
        if answer.status_code == 404:
            return 0, False, b""
        size = int(answer.content.split(b"\n")[1])
        return size, answer.headers["qazyna-witnessed"] == "true", answer.content

    def signed(self, *, witnessed: bool) -> bytes:
        """Wait for a checkpoint of everything posted with this mark, and return it."""
        posted = self.posted()
        wait(self, lambda: self.checkpoint()[:2] == (posted, witnessed))
        return self.checkpoint()[2]

    def posted(self) -> int:
        """How many events the ledger has, sequenced or not."""
        logs = httpx.get(f"{self.service.url}/v1/budgets").json()["items"]
        return sum(one["position"] for one in logs)

    def metric(self, name: str) -> float:
        text = httpx.get(f"{self.service.url}/metrics").text
        found = [line.split()[-1] for line in text.splitlines() if line.startswith(f"{name} ")]
        return float(found[0])

    def close(self) -> None:
        for witness in self.witnesses:
            witness.end()
        if self.service is not None and self.service.process.poll() is None:
            self.service.end(signal.SIGTERM)


def wait(site: Site, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until, (site.folder / "service.log").read_text()[-3000:]
        time.sleep(0.1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def begin(site: Site, quorum: int) -> None:
    site.serve(quorum)
    assert cli("post", "--url", site.service.url, stdin=ndjson(first_commands())).code == 0


def test_a_quorum_of_two_is_published_lost_marked_and_made_good(site: Site) -> None:
    begin(site, 2)
    note = site.signed(witnessed=True)
    assert len(site.opened(note, 2).cosigned) == 2
    judged_by_others(site, note)
    judged_by_our_program(site, note, 2)
    assert cli("checkpoint", "--url", site.service.url) == (0, note.decode(), "")
    assert httpx.get(f"{site.service.url}/readyz").json()["witnessed"] is True
    site.kill(1)
    site.post()
    note = site.signed(witnessed=False)
    assert len(site.opened(note, 1).cosigned) == 1
    with pytest.raises(ProofError, match="not signed by w1"):
        site.opened(note, 2)
    size, *_ = site.checkpoint()
    shown = httpx.get(f"{site.service.url}/v1/checkpoints/{size}").json()
    assert shown["witnessed"] is False
    written = cli("checkpoint", "--url", site.service.url)
    assert (written.code, written.out) == (0, note.decode())
    assert written.err == f"the checkpoint of {size} events has no quorum of witnesses\n"
    assert httpx.get(f"{site.service.url}/readyz").json()["witnessed"] is False
    assert site.metric("qazyna_checkpoint_witnessed") == 0
    assert site.metric('qazyna_witness_failures{witness="w1"}') > 0
    site.revive(1)
    late = site.signed(witnessed=True)  # of the same size: nothing was posted meanwhile
    assert late.startswith(note)
    assert len(site.opened(late, 2).cosigned) == 2
    assert httpx.get(f"{site.service.url}/v1/checkpoints/{size}").json()["witnessed"] is True
    listed = httpx.get(f"{site.service.url}/v1/checkpoints?after={size - 1}").json()["items"]
    assert [(one["size"], one["witnessed"]) for one in listed] == [(size, True)]
    site.post()
    judged_by_our_program(site, site.signed(witnessed=True), 2)
    site.stop()
    assert cli("check", "--home", site.home) == (0, "", "")


def test_a_quorum_of_one_bears_the_loss_of_one(site: Site) -> None:
    begin(site, 1)
    site.signed(witnessed=True)
    for number in (0, 1):
        site.kill(number)
        site.post(3)
        assert len(site.opened(site.signed(witnessed=True), 1).cosigned) == 1
        site.revive(number)
        wait(site, lambda: two_lines_after_a_post(site))


def two_lines_after_a_post(site: Site) -> bool:
    site.post()
    return len(site.opened(site.signed(witnessed=True), 1).cosigned) == 2


def test_a_restored_backup_is_refused(site: Site) -> None:
    """The key, its last checkpoint and the database are all of the backup: only others know."""
    begin(site, 2)
    site.signed(witnessed=True)
    site.stop()
    shutil.copytree(site.home, site.folder / "backup", symlinks=True)
    site.serve(2)
    site.post(5)
    newest = site.signed(witnessed=True)
    seen = int(newest.split(b"\n")[1])
    site.stop()
    shutil.rmtree(site.home)
    (site.folder / "backup").rename(site.home)

    site.serve(2)  # the witnesses answer, so nothing at all is signed
    wait(site, lambda: told(site) is not None)
    assert f"cosigned a tree of {seen} leaves" in told(site)
    before = site.checkpoint()
    site.post(2)  # posting goes on
    wait(site, lambda: site.sequence() == site.posted())
    assert site.checkpoint() == before
    site.stop()

    for number in (0, 1):  # nobody answers: it signs, marked, what nobody will cosign
        site.kill(number)
    site.serve(2)
    site.number += 1000
    site.post(9)
    note = site.signed(witnessed=False)
    assert int(note.split(b"\n")[1]) > seen
    for number in (0, 1):
        site.revive(number)
    names = [f'qazyna_witness_refusals{{witness="w{number}"}}' for number in (0, 1)]
    wait(site, lambda: all(site.metric(name) > 0 for name in names))
    site.post()
    with pytest.raises(ProofError, match="not signed by w0, w1"):
        site.opened(site.signed(witnessed=False), 1)
    for witness in site.witnesses:
        kept = httpx.get(f"{witness.url}/{digest(ORIGIN)}/checkpoint").content
        assert kept.startswith(newest[: newest.index(b"\n\n")])


def told(site: Site) -> str | None:
    return httpx.get(f"{site.service.url}/readyz").json()["not_signing"]


def judged_by_others(site: Site, note: bytes) -> None:
    theirs = TheirCheckpoint.from_text(note.decode())
    for text in (site.key.text, *(one.key for one in site.witnesses)):
        theirs.verify(Vkey.from_string(text))


def judged_by_our_program(site: Site, note: bytes, quorum: int) -> None:
    """The verifier as its own program remembers each checkpoint and demands consistency."""
    file, state, proof = (site.folder / name for name in ("note", "state", "consistency"))
    file.write_bytes(note)
    words = ["checkpoint", file, "--key", site.key.text, "--quorum", quorum, "--state", state]
    words += [word for one in site.witnesses for word in ("--witness", one.key)]
    if state.exists():
        old = int(state.read_bytes().split(b"\n")[1])
        new = int(note.split(b"\n")[1])
        url = f"{site.service.url}/v1/proofs/consistency.txt?old={old}&new={new}"
        proof.write_bytes(httpx.get(url).raise_for_status().content)
        words += ["--consistency", proof]
    done = subprocess.run(
        [sys.executable, "-m", "ledger.proofs.verify", *map(str, words)], cwd=ROOT, text=True,
        capture_output=True, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("cosigned by") == len(site.witnesses)


def test_a_policy_that_cannot_be_read_is_refused_before_anything_serves(tmp_path: Path) -> None:
    broken = tmp_path / "policy"
    broken.write_text("quorum w9\n")
    ended = cli("serve", "--home", tmp_path / "home", "--port", "0", "--json",
                QAZYNA_WITNESSES=str(broken))  # fmt: skip
    assert ended.code == 2
    assert "line 1" in json.loads(ended.out)["detail"]
