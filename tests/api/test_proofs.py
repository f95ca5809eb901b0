"""/checkpoint, /tile/… and /v1/proofs/…: what is served is what C2SP says, and it proves."""

import asyncio
import base64
import gzip

import pytest

from ledger.proofs.leaf import Leaf
from ledger.proofs.merkle import root_of
from ledger.proofs.tiles import ENTRIES, Tile, TileSource, decode_bundle, new_tiles
from ledger.proofs.verify import (
    CONSISTENCY,
    INCLUSION,
    Trust,
    leaf_hash,
    read_proof,
    verify_consistency,
    verify_inclusion,
)

BUDGET = "KZ-2024-region-7"


async def signed(service, size: int | None = None):
    """The checkpoint that covers every event, verified with the notary's own public keys."""
    wanted = size or await service.events()
    notary = service.app.state.running.notary
    for _ in range(500):
        answer = await service.get("/checkpoint")
        if answer.status_code == 200:
            trust = Trust(tuple(notary.keys.public()), notary.keys.origin)
            head = trust.open(answer.content)
            if head.size >= wanted:
                return head
        await asyncio.sleep(0.02)
    raise TimeoutError(f"no checkpoint of {wanted} events: {notary.refused}")


@pytest.fixture(scope="module")
async def heads(service, command):
    """Two checkpoints: before and after a budget was opened; some 330 leaves in all."""
    service.clock.set("2024-12-02")
    first = await signed(service)
    await asyncio.gather(*(
        service.accept(
            command("OpenBudget", f"KZ-2025-region-{number}", "treasury", "2024-12-02",
                    region=number % 7 + 1, level=3, year=2025, title="a budget"))
        for number in range(310)
    ))  # fmt: skip
    return first, await signed(service)


def unpacked(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


async def test_the_checkpoint_is_served_as_the_specification_says(service, heads):
    answer = await service.get("/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=1"
    assert answer.content == heads[1].raw


async def test_every_tile_of_the_tree_is_served_and_leads_to_the_signed_root(service, heads):
    for head in heads:
        found = {}
        for tile in new_tiles(0, head.size):
            answer = await service.get(f"/{tile.path}")
            assert answer.status_code == 200, (tile.path, answer.text)
            assert answer.headers["content-type"] == "application/octet-stream"
            assert "immutable" in answer.headers["cache-control"]
            found[tile] = answer.content
        assert root_of(head.size, TileSource(found.__getitem__, head.size)) == head.root


async def test_entry_bundles_hash_to_the_tiles_below_them(service, heads):
    for bundle in new_tiles(0, heads[1].size, entries=True):
        if bundle.level != ENTRIES:
            continue
        raw = (await service.get(f"/{bundle.path}")).content
        leaves = decode_bundle(raw, bundle.width)
        tile = Tile(0, bundle.index, bundle.width)
        hashes = (await service.get(f"/{tile.path}")).content
        assert b"".join(map(leaf_hash, leaves)) == hashes
        assert [Leaf.decode(leaf).encode() for leaf in leaves] == leaves


async def test_an_entry_bundle_is_compressed_for_who_can_read_it(service, heads):
    path = "/tile/entries/000"
    plain = await service.client.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    async with service.client.stream("GET", path, headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(raw) == plain.content


@pytest.mark.parametrize("path", [
    "0/001.p/999", "0/001.p/255", "0/x000/000", "0/0", "00/000", "64/000", "0/002", "2/000",
    "0/000.p/256", "entries/002", "entries/001.p/255", "-1/000", "", "0", "..%2fcheckpoint",
    "0/x999/x999/x999/x999/x999/x999/x999/000",
])  # fmt: skip
async def test_what_is_no_tile_of_the_published_tree_is_not_found(service, heads, path):
    answer = await service.get(f"/tile/{path}")
    assert (answer.status_code, answer.json()["code"]) in ((404, "unknown-tile"),
                                                           (404, "not-found"))  # fmt: skip


@pytest.mark.parametrize("path", ["0/000.p/1", "0/000.p/255", "0/000", "entries/000.p/7"])
async def test_a_narrower_tile_is_the_beginning_of_the_full_one(service, heads, path):
    whole = (await service.get(f"/tile/{path.split('.')[0]}")).content
    part = (await service.get(f"/tile/{path}")).content
    assert whole.startswith(part)


async def test_an_event_is_proven_by_sequence_and_by_its_place_in_its_budget(service, heads):
    head = heads[1]
    found = await service.report("/v1/proofs/inclusion", budget="KZ-2025-region-300", position=1)
    same = await service.report("/v1/proofs/inclusion", sequence=found["sequence"])
    assert found == same
    leaf = found["leaf"].encode()
    verify_inclusion(found["index"], found["size"], leaf_hash(leaf),
                     [unpacked(one) for one in found["hashes"]], head.root)  # fmt: skip
    assert Leaf.decode(leaf).log == "KZ-2025-region-300"
    assert found["checkpoint"].encode() == head.raw


async def test_every_event_is_proven_in_every_published_tree(service, heads):
    for head in heads:
        for sequence in {1, 2, head.size // 2, head.size - 1, head.size} - {0}:
            answer = await service.get("/v1/proofs/inclusion.tlog-proof", sequence=sequence,
                                       size=head.size)  # fmt: skip
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            index, hashes, note, leaf = read_proof(answer.content, INCLUSION)
            assert note == head.raw
            verify_inclusion(index, head.size, leaf_hash(leaf), hashes, head.root)


async def test_trees_that_grew_are_joined_by_a_proof(service, heads):
    old, new = heads
    found = await service.report("/v1/proofs/consistency", old=old.size, new=new.size)
    verify_consistency(old.size, new.size, old.root, new.root,
                       [unpacked(one) for one in found["hashes"]])  # fmt: skip
    text = (await service.get("/v1/proofs/consistency.txt", old=old.size)).content
    old_size, hashes, note, _ = read_proof(text, CONSISTENCY)
    assert (old_size, note) == (old.size, new.raw)
    verify_consistency(old.size, new.size, old.root, new.root, hashes)


async def test_absence_before_its_time_is_shown_by_the_tree_size(service, heads):
    old, new = heads
    asked = {"budget": "KZ-2025-region-9", "position": 1}
    found = await service.report("/v1/proofs/absence", before=old.size, **asked)
    event, joined = found["inclusion"], found["consistency"]
    assert event["index"] >= found["before"] == old.size
    verify_inclusion(event["index"], new.size, leaf_hash(event["leaf"].encode()),
                     [unpacked(one) for one in event["hashes"]], new.root)  # fmt: skip
    verify_consistency(old.size, new.size, old.root, new.root,
                       [unpacked(one) for one in joined["hashes"]])  # fmt: skip
    there = await service.get("/v1/proofs/absence", before=new.size, **asked)
    assert (there.status_code, there.json()["code"]) == (422, "in-tree")
    early = await service.get("/v1/proofs/inclusion", size=old.size, **asked)
    assert (early.status_code, early.json()["code"]) == (404, "not-in-tree")
    assert early.json()["size"] == old.size


async def test_checkpoints_are_listed_by_size_as_they_were_signed(service, heads):
    listed, after = [], 0
    while after is not None:
        page = await service.report("/v1/checkpoints", after=after, limit=2)
        listed += page["items"]
        after = page["next"]
    sizes = [one["size"] for one in listed]
    assert sizes == sorted(set(sizes))
    for head in heads:
        one = await service.report(f"/v1/checkpoints/{head.size}")
        assert one in listed
        assert (one["note"].encode(), unpacked(one["root"])) == (head.raw, head.root)
        assert one["witnessed"] is False  # no witness is asked


@pytest.mark.parametrize(("path", "code"), [
    ("/v1/proofs/inclusion", "invalid-parameter"),
    ("/v1/proofs/inclusion?sequence=1&budget=rulebook&position=1", "invalid-parameter"),
    ("/v1/proofs/inclusion?budget=rulebook", "invalid-parameter"),
    ("/v1/proofs/inclusion?sequence=0", "invalid-parameter"),
    ("/v1/proofs/inclusion?sequence=99999", "not-in-tree"),
    ("/v1/proofs/inclusion?budget=rulebook&position=99999", "unknown-event"),
    ("/v1/proofs/inclusion?sequence=1&size=99999", "unknown-checkpoint"),
    ("/v1/proofs/inclusion.tlog-proof?sequence=1&size=99999", "unknown-checkpoint"),
    ("/v1/proofs/consistency?old=99999", "invalid-parameter"),
    ("/v1/proofs/consistency?old=2&new=1", "invalid-parameter"),
    ("/v1/proofs/consistency?old=1&new=99999", "unknown-checkpoint"),
    ("/v1/checkpoints/99999", "unknown-checkpoint"),
    ("/v1/checkpoints/0", "invalid-parameter"),
])  # fmt: skip
async def test_what_cannot_be_proven_is_a_problem(service, heads, path, code):
    answer = await service.get(path)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code


async def test_health_and_metrics_tell_of_the_tree(service, heads):
    head = await signed(service)
    ready = await service.report("/readyz")
    assert (ready["signed"], ready["not_signing"]) == (head.size, None)
    text = (await service.get("/metrics")).text
    assert f"qazyna_checkpoint_size {float(head.size)}" in text
    assert f"qazyna_tree_leaves {float(head.size)}" in text
    assert "qazyna_notary_refuses 0.0" in text
    assert "qazyna_checkpoint_age_seconds" in text
