"""Reports with their evidence: one file, which three verifiers take and none takes altered."""

import asyncio
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from api.examples import ACCOUNT, EXAMPLES, OBLAST, RAYON
from api.recomputed import recompute
from ledger.proofs import verify
from ledger.proofs.bundle import Bundle, gaps
from ledger.proofs.notes import write_checkpoint
from ledger.proofs.verify import (
    FILES,
    Checkpoint,
    Key,
    ProofError,
    Trust,
    leaf_hash,
    prove,
    root_with,
)
from tests.proofs.bundles import opened

ROOT = Path(__file__).parents[2]
PATHS = {
    "execution": f"/v1/budgets/{RAYON}/execution", "transfers": f"/v1/budgets/{RAYON}/transfers",
    "warnings": f"/v1/budgets/{RAYON}/warnings",
    "account": f"/v1/budgets/{RAYON}/accounts/{ACCOUNT}",
    "exempt": f"/v1/budgets/{RAYON}/exempt", "lines": f"/v1/budgets/{RAYON}/lines",
    "audit": "/v1/audit",
}  # fmt: skip
QUESTIONS = [
    {}, {"level": 1}, {"by": "administrator"}, {"prefix": ["expenditure"]},
    {"effective": "2025-03-01"}, {"adopted": "2024-12-31"}, {"known": "20"},
    {"effective": "2025-06-30", "adopted": "2025-02-01", "known": "30", "level": 2},
]  # fmt: skip


def bundle_path(name: str) -> str:
    if name == "audit":
        return f"/v1/budgets/{RAYON}/audit.zip"
    return PATHS[name] + ("/statement.zip" if name == "account" else ".zip")


@pytest.fixture(scope="module")
async def shown(service) -> str:
    """`at_least` of the last example on the rayon's budget."""
    service.clock.set("2025-02-18")
    last = {}
    for example in EXAMPLES:
        last[example["budget"]] = await service.accept(example)
    runner = service.app.state.running.runner
    for budget, answer in last.items():
        await runner.wait_for(budget, answer["position"])
    return f"{RAYON}:{last[RAYON]['position']}"


@pytest.fixture(scope="module")
async def raw(service, shown) -> bytes:
    """The bundle of the execution report as it stands."""
    return await fetch(service, "execution", at_least=shown)


async def fetch(service, name: str, **asked) -> bytes:
    answer = await service.get(bundle_path(name), **asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    return answer.content


async def serve(service, name: str, **asked):
    """The report itself; the trail of all budgets is asked for one."""
    return await service.get(PATHS[name], **asked, **({"budget": RAYON} if name == "audit" else {}))


def trust(raw: bytes) -> Trust:
    """Trust in the key that the service signs with, as if it had been printed."""
    key = Key.parse(opened(raw).manifest["keys"][0])
    return Trust((key,), key.name)


def run(*command: object, cwd: Path = ROOT) -> tuple[int, str]:
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True,
                          cwd=cwd, timeout=60, check=False)  # fmt: skip
    return done.returncode, done.stdout + done.stderr


async def qazyna(*arguments: object) -> tuple[int, str]:
    return await asyncio.to_thread(run, "-m", "api.cli", *arguments)


def keep(folder: Path, raw: bytes) -> Path:
    path = folder / "report.zip"
    path.write_bytes(raw)
    return path


def repacked(raw: bytes, **changed) -> bytes:
    """The same bundle with some of its files changed by functions of their text."""
    parts = {name: zipfile.ZipFile(io.BytesIO(raw)).read(name).decode() for name in FILES}
    for name, change in changed.items():
        full = next(one for one in FILES if one.split(".")[0] == name)
        fresh = change(parts[full])
        assert fresh != parts[full]
        parts[full] = fresh
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as file:
        for name in FILES:
            file.writestr(name, parts[name])
    return whole.getvalue()


@pytest.mark.parametrize("name", PATHS)
async def test_a_report_in_its_bundle_is_the_report_as_served(service, shown, name):
    bundle = opened(await fetch(service, name, at_least=shown))
    served = await serve(service, name)
    assert bundle.report == served.content
    assert bundle.manifest["report"] == name
    _, manifest, report, _ = prove(io.BytesIO(bundle.write()), trust(bundle.write()))
    assert (manifest, report) == (bundle.manifest, served.content)
    assert manifest["sequence"] == served.json().get("sequence", manifest["sequence"])


async def test_equal_questions_give_equal_bytes(service, raw):
    assert await fetch(service, "execution") == raw


@pytest.mark.parametrize("name", PATHS)
async def test_qazyna_makes_every_report_again_without_the_service(service, shown, name, tmp_path):
    raw = await fetch(service, name, at_least=shown)
    code, said = await qazyna("verify", keep(tmp_path, raw), "--key", trust(raw).keys[0].text)
    assert code == 0, said
    assert "made again from these events" in said
    assert f"{RAYON}: positions 1 to" in said


@pytest.mark.parametrize("asked", QUESTIONS, ids=str)
async def test_every_question_adds_up_for_both_verifiers(service, shown, tmp_path, asked):
    raw = await fetch(service, "execution", at_least=shown, **asked)
    path, key = keep(tmp_path, raw), trust(raw).keys[0].text
    for command in (
        ["-m", "api.cli", "verify", path],
        ["-m", "ledger.proofs.verify", "bundle", path],
    ):
        code, said = await asyncio.to_thread(run, *command, "--key", key)
        assert code == 0, said
        assert "figures are the sums of these events" in said


MADE = [
    ("exempt", {"effective": "2025-03-01"}),
    ("lines", {"prefix": ["expenditure"], "limit": 1}), ("lines", {"after": 2, "limit": 2}),
    ("audit", {"limit": 3}), ("audit", {"after": 12, "limit": 4}),
    ("audit", {"line": ["expenditure"]}), ("audit", {"kind": "budget.transfer.received"}),
    ("audit", {"actor": "nobody"}), ("audit", {"account": ACCOUNT}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "asked"), MADE, ids=str)
async def test_a_report_made_of_its_events_is_the_one_that_is_served(service, shown, name, asked):
    bundle = opened(await fetch(service, name, at_least=shown, **asked))
    assert bundle.report == (await serve(service, name, **asked)).content
    raw = bundle.write()
    assert recompute(*prove(io.BytesIO(raw), trust(raw))[1:]) == bundle.report


TRAILS = [
    {}, {"limit": 3}, {"after": 12, "limit": 4}, {"kind": "budget.transfer.received"},
    {"kind": "rulebook.jurisdiction.adopted"}, {"account": ACCOUNT}, {"line": ["expenditure"]},
]  # fmt: skip


@pytest.mark.parametrize("asked", TRAILS, ids=str)
async def test_the_trail_of_all_budgets_is_made_of_every_event(service, shown, asked):
    answer = await service.get("/v1/audit.zip", at_least=shown, **asked)
    bundle = opened(answer.content)
    served = await service.get("/v1/audit", **asked)
    assert bundle.report == served.content
    assert len(bundle.events) == served.json()["sequence"]
    _, manifest, report, logs = prove(io.BytesIO(answer.content), trust(answer.content))
    assert {RAYON, OBLAST, "rulebook"} <= set(logs)
    assert recompute(manifest, report, logs) == bundle.report


async def test_no_log_can_be_left_out_of_the_trail_of_all_budgets(service, shown):
    """A whole budget taken out, its events' subtrees proven instead."""
    raw = (await service.get("/v1/audit.zip", at_least=shown)).content
    bundle, known = opened(raw), trust(raw)
    kept = tuple(one for one in bundle.events if f'"log":"{OBLAST}"'.encode() not in one.leaf)
    assert 0 < len(kept) < len(bundle.events)
    logs = [log for log in bundle.manifest["logs"] if log != OBLAST]
    proof = proof_of({one.at: one for one in bundle.events}, kept, bundle)
    fewer = Bundle({**bundle.manifest, "logs": logs}, bundle.report, bundle.checkpoint, proof, kept)
    with pytest.raises(ProofError) as caught:
        recompute(*prove(io.BytesIO(fewer.write()), known)[1:])
    assert caught.value.code == "omitted"


async def test_the_program_keeps_and_verifies_the_trail_of_all_budgets(service, shown, tmp_path):
    out = tmp_path / "kept.zip"
    code, said = await qazyna("evidence", "history", "--out", out, "--url", service.url)
    assert code == 0, said
    code, said = await qazyna("verify", out, "--key", trust(out.read_bytes()).keys[0].text)
    assert (code, "made again from these events" in said) == (0, True), said


@pytest.mark.parametrize("name", ["exempt", "lines", "audit"])
async def test_a_report_made_of_events_is_refused_when_altered(service, shown, name, tmp_path):
    raw = await fetch(service, name, at_least=shown)
    changed = repacked(raw, report=lambda text: text.replace('"expenditure"', '"revenue"', 1))
    code, said = await qazyna("verify", keep(tmp_path, changed), "--key", trust(raw).keys[0].text)
    assert (code, "NOT VERIFIED (report)" in said) == (1, True), said


async def test_one_file_on_a_laptop_verifies_a_bundle_a_proof_and_a_checkpoint(
    service, raw, tmp_path
):
    """No ledger, no package, no network: a copy of the verifier in an empty folder."""
    alone, state, signed = tmp_path / "alone", tmp_path / "state", opened(raw).checkpoint
    alone.mkdir()
    shutil.copy(verify.__file__, alone / "verify.py")
    size = int(signed.split(b"\n")[1])
    proof = await service.get("/v1/proofs/inclusion.tlog-proof", sequence=size, size=size)
    for what, paper, told in (
        ("bundle", raw, "OK report execution in "), ("proof", proof.content, f"OK event {size} of"),
        ("checkpoint", signed, "OK checkpoint in "),
    ):  # fmt: skip
        path = tmp_path / what
        path.write_bytes(paper)
        arguments = [what, path, "--key", trust(raw).keys[0].text, "--state", state]
        code, said = await asyncio.to_thread(run, "-I", "verify.py", *arguments, cwd=alone)
        assert code == 0, said
        assert said.startswith(told)
        assert state.read_bytes() == signed
    assert [one.name for one in alone.iterdir()] == ["verify.py"]


async def test_the_bundles_own_key_is_taken_with_a_warning(raw, tmp_path):
    code, said = await qazyna("verify", keep(tmp_path, raw))
    assert (code, "a forger has one too" in said) == (0, True)


def _line(number: int, change) -> object:
    """Change one line of the events."""
    return lambda text: "\n".join(
        change(line) if at == number else line for at, line in enumerate(text.split("\n"))
    )


TAMPERED = {
    "a figure of the report": (
        {"report": lambda text: text.replace('"executed":"', '"executed":"1', 1)}, "sums"),
    "a row of the report": ({"report": lambda text: json.dumps(
        {**json.loads(text), "rows": json.loads(text)["rows"][1:]})}, "sums"),
    "the sequence of the report": (
        {"report": lambda text: text.replace('"sequence":', '"sequence":1')}, "sequence"),
    "an amount in a body": (
        {"events": lambda text: text.replace('"amount_minor":', '"amount_minor":1', 1)}, "body"),
    "an event left out": ({"events": _line(9, lambda line: "")}, "malformed"),
    "an event that is not of the log": ({"events": lambda text: text.replace(
        f'"log":"{RAYON}","position":1,', f'"log":"{OBLAST}","position":1,')}, "inclusion"),
    "a body withheld": ({"events": _line(
        9, lambda line: " ".join(line.split(" ")[:2]))}, "bodies"),
    "a hash of the proof": ({"proof": lambda text: "A" * 43 + "=" + text[44:]}, "inclusion"),
    "the checkpoint's root": ({"checkpoint": lambda text: text.replace(
        text.split("\n")[2], "A" * 43 + "=", 1)}, "signature"),
    "the rules it used": ({"bundle": lambda text: text.replace('"rules_at": ', '"rules_at": 9')},
                          "rules"),
    "an earlier end of the log": ({"bundle": lambda text: text.replace(
        f'"sequence": {json.loads(text)["sequence"]}', '"sequence": 3')}, "sequence"),
    "the question": ({"bundle": lambda text: text.replace('"level": null', '"level": 1')}, "sums"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERED)
async def test_an_altered_bundle_is_refused_with_its_reason(raw, tmp_path, name):
    changes, code = TAMPERED[name]
    path, key = keep(tmp_path, repacked(raw, **changes)), trust(raw).keys[0].text
    ended, said = await asyncio.to_thread(
        run, "-m", "ledger.proofs.verify", "bundle", path, "--key", key
    )
    assert (ended, f"NOT VERIFIED ({code})" in said) == (1, True), said
    assert (await qazyna("verify", path, "--key", key))[0] == 1


async def test_no_event_can_be_left_out_of_a_log(raw):
    """Each event of the budget taken out, its subtree proven instead: the gap shows."""
    bundle, known = opened(raw), trust(raw)
    hashes = {one.at: one for one in bundle.events}
    own = [one for one in bundle.events if f'"log":"{RAYON}"'.encode() in one.leaf and one.body]
    assert len(own) > 20
    for gone in own:
        kept = tuple(one for one in bundle.events if one is not gone)
        proof = proof_of(hashes, kept, bundle)
        fewer = Bundle(bundle.manifest, bundle.report, bundle.checkpoint, proof, kept)
        with pytest.raises(ProofError) as caught:
            prove(io.BytesIO(fewer.write()), known)
        assert caught.value.code == "omitted"


def proof_of(hashes, kept, bundle):
    """The proof that an honest tree gives for fewer events: the bundle's, with one more gap."""
    size = int(bundle.checkpoint.split(b"\n")[1])
    given = dict(zip(gaps(sorted(hashes), size), bundle.proof, strict=True))

    def subtree(start, end):
        inside = {
            at - start: leaf_hash(one.leaf) for at, one in hashes.items() if start <= at < end
        }
        below = [h for (s, e), h in given.items() if start <= s and e <= end]
        return given.get((start, end)) or root_with(inside, end - start, below)

    return tuple(subtree(*gap) for gap in gaps([one.at for one in kept], size))


async def test_a_bundle_of_another_log_is_an_alarm_for_who_remembers(service, raw, tmp_path):
    """A checkpoint of the same size with another root was seen before: a fork."""
    parts = service.app.state.running
    head = trust(raw).open(opened(raw).checkpoint)
    other = Checkpoint(head.origin, head.size, b"\x01" * 32)
    state = tmp_path / "state"
    state.write_bytes(write_checkpoint(other, parts.notary.keys.signers()))
    code, said = await qazyna("verify", keep(tmp_path, raw), "--state", state,
                              "--key", trust(raw).keys[0].text)  # fmt: skip
    assert (code, "ALARM (fork)" in said) == (3, True)


async def test_what_has_no_bundle_is_told(service, shown):
    answer = await service.get("/v1/budgets/KZ-2025-nobody/execution.zip")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-budget")
    answer = await service.get("/v1/budgets/rulebook/execution.zip")
    assert answer.status_code == 404


@pytest.mark.parametrize("name", PATHS)
async def test_the_program_keeps_the_same_file(service, shown, name, tmp_path):
    raw, out = await fetch(service, name, at_least=shown), tmp_path / "kept.zip"
    more = [ACCOUNT] if name == "account" else []
    command = "history" if name == "audit" else name
    code, said = await qazyna("evidence", command, RAYON, *more, "--out", out,
                              "--url", service.url)  # fmt: skip
    assert code == 0, said
    kept, served = opened(out.read_bytes()), opened(raw)
    assert (kept.report, kept.proof, kept.events) == (served.report, served.proof, served.events)
