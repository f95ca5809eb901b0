"""The remote audit of a served ledger: what grows is checked once, with or without the rules."""

import asyncio
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from api.auditing.memory import Memory
from api.auditing.rules import Decider
from api.examples import EXAMPLES, OBLAST, RAYON
from ledger.proofs.leaf import Leaf

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
async def grown(service):
    """A ledger with a third of the examples; the rest is posted by the tests."""
    service.clock.set("2025-02-18")
    rest = list(EXAMPLES)
    for _ in range(len(rest) // 3):
        await service.accept(rest.pop(0))
    return rest


async def key_of(service) -> str:
    await signed(service)
    return service.app.state.running.notary.keys.public()[0].text


async def signed(service) -> None:
    """Wait until everything that was posted is in the published tree."""
    async with asyncio.timeout(30):
        while True:
            answer = await service.get("/checkpoint")
            if answer.is_success and int(answer.text.split("\n")[1]) == await service.events():
                return
            await asyncio.sleep(0.05)


async def audit(service, state, *options):
    """Run the real program; return its exit code and what it says."""
    command = [sys.executable, "-m", "api.cli", "audit", service.url, "--state", state, *options]

    def run():
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT,
                              timeout=120, check=False)  # fmt: skip

    done = await asyncio.to_thread(run)
    return done.returncode, done.stdout + done.stderr


async def test_only_what_has_grown_is_audited_again(service, grown, tmp_path):
    key = await key_of(service)
    for options in (["--rules"], []):
        state = tmp_path / f"state{len(options)}"
        code, said = await audit(service, state, "--key", key, *options, "--json")
        first = json.loads(said)
        assert code == 0, said
        assert (first["begun"], first["events"]) == (0, await service.events())
        assert (first["commands"] is not None, first["reports"] > 0) == (bool(options), True)
        for _ in range(8):
            await service.accept(grown.pop(0))
        await signed(service)
        code, said = await audit(service, state, *options, "--json")
        then = json.loads(said)
        assert code == 0, said
        assert then["begun"] == then["remembered"] == first["size"]
        assert then["events"] == await service.events() - first["size"]
        code, said = await audit(service, state, *options, "--json")
        assert (code, json.loads(said)["events"]) == (0, 0)


async def test_decisions_go_on_from_kept_cells_as_from_the_beginning(service, grown, tmp_path):
    """Audited after every few commands, or all at once: the same verdict and the same cells."""
    key, often, once = await key_of(service), tmp_path / "often", tmp_path / "once"
    commands = 0
    while grown:
        for _ in range(min(5, len(grown))):
            await service.accept(grown.pop(0))
        await signed(service)
        code, said = await audit(service, often, "--key", key, "--rules", "--json")
        assert code == 0, said
        commands += json.loads(said)["commands"]
    code, said = await audit(service, once, "--key", key, "--rules", "--json")
    assert (code, json.loads(said)["commands"]) == (0, commands)
    with Memory(often) as kept, Memory(once) as fresh:
        for log in (RAYON, "rulebook"):
            assert kept.recall_all(log, "") == fresh.recall_all(log, "") != []


async def test_a_checkpoint_inside_a_command_cuts_no_decision(service, grown, tmp_path):
    """Events taken in two parts, cut at each place in turn: the same cells, nothing found."""
    events = await service.app.state.running.ledger.events()
    assert any(one.kind == "budget.line.approved" for one in events)
    whole = decided(tmp_path / "whole", events, len(events))
    for cut in range(1, len(events)):
        assert decided(tmp_path / f"cut{cut}", events, cut) == whole


def decided(state, events, cut):
    """What is remembered after two parts."""
    with Memory(state) as memory:
        for part in (events[:cut], events[cut:]):
            decider = Decider(memory)
            for one in part:
                leaf = Leaf(
                    log=one.budget, position=one.position, kind=one.kind, chain=one.hash,
                    recorded_at=one.recorded_at, body=sha256(one.body).digest(),
                )  # fmt: skip
                decider.decide_next(one.sequence, leaf, one.body, json.loads(one.body))
            decider.keep()
        return [memory.recall_all(log, "") for log in ("", RAYON, OBLAST, "rulebook")]


async def test_rules_after_an_audit_without_them_begin_with_the_first_event(
    service, grown, tmp_path
):
    key, state = await key_of(service), tmp_path / "state"
    assert (await audit(service, state, "--key", key))[0] == 0
    code, said = await audit(service, state, "--rules", "--json")
    found = json.loads(said)
    assert (code, found["begun"], found["remembered"]) == (0, 0, found["size"])


async def test_a_service_does_not_name_its_own_key(service, grown, tmp_path):
    await key_of(service)
    code, said = await audit(service, tmp_path / "state")
    assert (code, "--key" in said) == (2, True)
    assert not (tmp_path / "state").exists()
