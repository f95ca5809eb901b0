"""Programs that we did not write judge a running service over HTTP: checkpoint, tiles, proofs."""

import asyncio
import base64
from functools import cache

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pymerkle import InclusionProof, InmemoryTree
from pymerkle import verify_inclusion as pymerkle_verify_inclusion
from tlog_scales import tlog
from tlog_scales.backend import HttpBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey

from ledger.proofs.verify import INCLUSION, leaf_hash, main, read_proof
from tests.api.conftest import command_document, service, template  # noqa: F401 - fixtures

# ruff: noqa: F811 - fixtures are named as the functions that make them
BUDGETS = 2050
"""So many budgets are opened, an event each, that a third level-1 hash and more are there."""


@pytest.fixture(scope="module")
async def log(service):
    """A service with over 2 000 leaves: its address, its public key, its leaves, its judge."""
    service.clock.set("2024-12-02")
    for start in range(0, BUDGETS, 500):
        documents = [
            command_document("OpenBudget", f"KZ-2025-local-{n}", "treasury", "2024-12-02",
                             region=n % 19 + 1, level=3, year=2025, title="a budget")
            for n in range(start, min(start + 500, BUDGETS))
        ]  # fmt: skip
        answer = await service.client.post("/v1/commands/batch", json=documents)
        assert answer.status_code == 200, answer.text
    async with service.app.state.running.ledger.database.connect("reader") as connection:
        total = await connection.fetchval("SELECT sum(position)::bigint FROM ledger.heads")
    signed = 0
    async with asyncio.timeout(60):
        while signed < total:
            signed = (await service.report("/readyz"))["signed"]
    [key] = service.app.state.running.notary.keys.public()
    evidence = service.app.state.running.evidence
    leaves = await evidence.leaves(1, total)
    judge = InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        judge.append_entry(leaf)
    return service.url, key, leaves, judge


def hashes(texts: list[str]) -> list[bytes]:
    return [base64.b64decode(text) for text in texts]


async def test_tlog_scales_reads_and_verifies_the_running_log(log):
    url, key, leaves, _ = log

    def judged() -> None:
        reader = TilesReader(HttpBackend(url))
        head = reader.get_checkpoint()
        head.verify(Vkey.from_string(key.text))
        assert head.size == len(leaves) > 2000
        assert reader.calculate_root_hash() == head.root_hash
        for index in (0, 255, 256, 1023, 2047, head.size - 1):
            assert reader.get_entry(index) == leaves[index]
            reader.get_inclusion_proof(index, head.size).check(
                leaf_hash(leaves[index]), head.root_hash
            )

    await asyncio.to_thread(judged)


async def test_the_served_proofs_are_those_that_tlog_scales_makes_of_the_tiles(log):
    url, _, _, judge = log

    def judged() -> None:
        reader = TilesReader(HttpBackend(url))
        size = reader.get_checkpoint().size
        with httpx.Client(base_url=url) as client:
            for old in (1, 2, 255, 256, 257, 1024, 1999, size - 1):
                served = client.get("/v1/proofs/consistency", params={"old": old}).json()
                assert hashes(served["hashes"]) == reader.get_consistency_proof(
                    old, size).node_hashes  # fmt: skip
                assert hashes([served["old_root"]]) == [judge.get_root(old)]
            for index in (0, 1, 255, 256, 1777, size - 1):
                served = client.get("/v1/proofs/inclusion", params={"sequence": index + 1}).json()
                assert hashes(served["hashes"]) == reader.get_inclusion_proof(
                    index, size).node_hashes  # fmt: skip

    await asyncio.to_thread(judged)


async def test_every_served_proof_of_two_sizes_is_verified_by_both(log):
    """Sizes from 0 to 2 000 and pairs of them, drawn at random, judged by both programs."""
    url, _, leaves, judge = log
    size_max = 2000

    @cache
    def root(size: int) -> bytes:
        return judge.get_root(size)

    with httpx.Client(base_url=url, timeout=30) as client:

        @settings(max_examples=120, deadline=None, derandomize=True)
        @given(st.tuples(st.integers(0, size_max), st.integers(1, size_max)).map(sorted),
               st.integers(0, size_max - 1))  # fmt: skip
        @example([0, 2000], 0)
        @example([1024, 2000], 1999)
        @example([1, 1], 0)
        def judged(pair: list[int], index: int) -> None:
            old, new = pair
            new, index = max(new, 1), index % max(new, 1)
            found = client.get("/v1/proofs/consistency", params={"old": old, "new": new}).json()
            tlog.ConsistencyProof(old, new, hashes(found["hashes"])).check(root(old), root(new))
            found = client.get(
                "/v1/proofs/inclusion", params={"sequence": index + 1, "size": new}
            ).json()
            path, leaf = hashes(found["hashes"]), found["leaf"].encode()
            assert leaf == leaves[index]
            tlog.InclusionProof(index, new, path).check(leaf_hash(leaf), root(new))
            rule = judge.prove_inclusion(index + 1, new).rule
            proof = InclusionProof("sha256", True, new, index + 1, rule, [leaf_hash(leaf), *path])  # noqa: FBT003 - its signature
            pymerkle_verify_inclusion(leaf_hash(leaf), root(new), proof, index=index + 1, size=new)

        await asyncio.to_thread(judged)


async def test_the_single_file_verifier_takes_what_the_service_hands_out(log, tmp_path, capsys):
    url, key, leaves, _ = log
    paper, state = tmp_path / "event.tlog-proof", tmp_path / "seen"
    async with httpx.AsyncClient(base_url=url) as client:
        head = tmp_path / "checkpoint"
        head.write_bytes((await client.get("/checkpoint")).content)
        for sequence in (1, 700, len(leaves)):
            asked = {"sequence": sequence}
            answer = await client.get("/v1/proofs/inclusion.tlog-proof", params=asked)
            paper.write_bytes(answer.content)
            assert read_proof(answer.content, INCLUSION)[3] == leaves[sequence - 1]
            assert main(["proof", str(paper), "--key", key.text, "--state", str(state)]) == 0
    assert main(["checkpoint", str(head), "--key", key.text, "--state", str(state)]) == 0
    assert f"OK checkpoint in {key.name} at size {len(leaves)} (" in capsys.readouterr().out
