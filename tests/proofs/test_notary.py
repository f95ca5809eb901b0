"""The notary: every sequenced event a leaf, one growing tree, and no signature without proof."""

import asyncio
import logging
import stat

import asyncpg
import pytest

from ledger.proofs.notes import PRIVATE
from ledger.proofs.tiles import new_tiles
from ledger.proofs.verify import Checkpoint, Note, Trust
from ledger.service import Ledger
from ledger.store.evidence import Evidence
from ledger.store.keys import Keys, Refused
from ledger.store.notary import Notary, WitnessAhead
from ledger.store.pool import Database
from tests.proofs.ledgers import (
    assert_one_history,
    covered,
    fresh_keys,
    leaves_of,
    notarised,
    posted,
    refusal,
)
from tests.store.conftest import (  # noqa: F401 - fixtures
    clock,
    create,
    dsn,
    migrated_template,
    world_template,
)
from tests.store.world import Clock, accepted, pay, query, tamper

# ruff: noqa: F811 - fixtures are named as the functions that make them


@pytest.fixture
def keys(tmp_path) -> Keys:
    return fresh_keys(tmp_path)


async def copied(server, dsn) -> str:
    """Another database as this one is now: what a backup would bring back."""
    name = dsn.split("/")[3].split("?")[0]
    return server.dsn(await create(server, name))


async def test_every_sequenced_event_is_a_leaf_under_a_signed_root(dsn, keys):
    async with notarised(dsn, keys) as (ledger, _):
        await posted(ledger, *(pay() for _ in range(600)))
        head = await covered(ledger)
        evidence = Evidence(ledger.database)
        leaves = await leaves_of(dsn)
        assert await evidence.leaves(1, head.size) == leaves
        assert len(leaves) == head.size > 600
    assert (await assert_one_history(dsn, keys))[-1].size == head.size


async def test_the_first_start_makes_a_key_that_nobody_else_can_read_or_find(dsn, keys, caplog):
    caplog.set_level(logging.DEBUG)
    async with notarised(dsn, keys) as (ledger, _):
        await covered(ledger)
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    [secret] = keys.path.read_text("ascii").splitlines()
    assert secret.startswith(PRIVATE)
    material = secret.rpartition("+")[2]
    assert keys.public()[0].text in caplog.text
    assert material not in caplog.text
    for table in ("tiles", "tree_heads", "checkpoints"):
        for row in await query(dsn, f"SELECT t::text AS text FROM ledger.{table} AS t"):
            assert material not in row["text"]
    assert material not in repr(keys) + repr(keys.signers())


async def test_a_key_file_that_others_can_read_is_not_used(dsn, keys):
    keys.create("ledger.example/open")
    keys.path.chmod(0o640)
    async with notarised(dsn, keys) as (_, notary):
        await refusal(notary, "key-open")
    assert await query(dsn, "SELECT 1 FROM ledger.checkpoints") == []


async def test_the_last_checkpoint_is_signed_when_the_service_stops(dsn, keys):
    async with notarised(dsn, keys) as (ledger, _):
        await covered(ledger)
        await posted(ledger, *(pay() for _ in range(40)))
    [row] = await query(dsn, "SELECT sum(position)::bigint AS n FROM ledger.heads")
    assert (await assert_one_history(dsn, keys))[-1].size == row["n"]


async def test_a_service_that_only_starts_and_stops_has_signed(dsn, keys):
    async with notarised(dsn, keys):
        pass
    [row] = await query(dsn, "SELECT sum(position)::bigint AS n FROM ledger.heads")
    assert [head.size for head in await assert_one_history(dsn, keys)] == [row["n"]]


async def test_a_backlog_of_many_tiles_is_notarised_page_by_page(dsn, keys):
    async with Ledger(dsn, clock=Clock()) as ledger:
        for _ in range(10):
            await posted(ledger, *(pay(amount="0.01") for _ in range(1000)))
    async with notarised(dsn, keys) as (ledger, _):
        head = await covered(ledger)
        evidence = Evidence(ledger.database)
        for tile in new_tiles(0, head.size):
            assert len(await evidence.tile(tile.path.removeprefix("tile/"))) == 32 * tile.width
    await assert_one_history(dsn, keys)


REMAINS = {
    "tiles are kept, no head": [
        "DELETE FROM ledger.checkpoints WHERE size > {old}",
        "DELETE FROM ledger.tree_heads WHERE size > {old}",
    ],
    "the head is kept, nothing signed": ["DELETE FROM ledger.checkpoints WHERE size > {old}"],
    "no tile is kept": [
        "DELETE FROM ledger.checkpoints WHERE size > {old}",
        "DELETE FROM ledger.tree_heads WHERE size > {old}",
        "DELETE FROM ledger.tiles WHERE (index + 1) * 256 > {old}",
    ],
}


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("remains", REMAINS)
async def test_after_a_crash_at_any_step_the_same_root_is_signed(dsn, keys, remains, signed):
    """What a crash leaves of a checkpoint's steps, with and without the file beside the key."""
    async with notarised(dsn, keys) as (ledger, _):
        old = await covered(ledger)
    before = keys.kept_path.read_bytes()
    async with notarised(dsn, keys) as (ledger, _):
        await posted(ledger, *(pay() for _ in range(600)))
        new = await covered(ledger)
    await tamper(dsn, *(step.format(old=old.size) for step in REMAINS[remains]))
    if not signed:
        keys.kept_path.write_bytes(before)
    async with notarised(dsn, keys) as (ledger, notary):
        again = await covered(ledger)
        assert notary.refused is None
    assert (again.size, again.note) == (new.size, new.note)
    await assert_one_history(dsn, keys, before, new.note)


async def test_a_ledger_restored_from_before_its_last_checkpoint_does_not_sign(
    server, dsn, keys, caplog
):
    async with notarised(dsn, keys) as (ledger, _):
        await covered(ledger)
    backup = await copied(server, dsn)
    async with notarised(dsn, keys) as (ledger, _):
        await posted(ledger, *(pay() for _ in range(20)))
        seen = await covered(ledger)
    async with notarised(backup, keys) as (ledger, notary):
        await refusal(notary, "older-ledger")
        assert notary.refusals > 0
        assert "older than what was signed" in caplog.text
        await posted(ledger, *(pay(amount="2.00") for _ in range(30)))
        await refusal(notary, "forked")
    assert keys.kept_path.read_bytes() == seen.note
    newest = await query(backup, "SELECT max(size) AS n FROM ledger.checkpoints")
    assert newest[0]["n"] < seen.size


async def test_a_restored_ledger_that_was_brought_up_to_date_signs_again(server, dsn, keys):
    async with notarised(dsn, keys) as (ledger, _):
        await covered(ledger)
    backup = await copied(server, dsn)
    async with notarised(dsn, keys) as (ledger, _):
        await posted(ledger, pay())
        await covered(ledger)
    whole = await copied(server, dsn)
    async with notarised(backup, keys) as (_, notary):
        await refusal(notary, "older-ledger")
    async with notarised(whole, keys) as (ledger, notary):
        await posted(ledger, pay())
        await covered(ledger)
        assert notary.refused is None
    await assert_one_history(whole, keys)


async def test_two_notaries_by_mistake_sign_one_history(dsn, keys):
    async with notarised(dsn, keys) as (ledger, one), notarised(dsn, keys) as (_, two):
        await posted(ledger, *(pay() for _ in range(20)))
        await covered(ledger)
        assert sorted((one.active, two.active)) == [False, True]
        first, second = (one, two) if one.active else (two, one)
        await first.stop()
        await posted(ledger, pay())
        await covered(ledger)
        assert second.active
    await assert_one_history(dsn, keys)


async def test_a_notary_elsewhere_goes_on_only_from_what_was_signed_last(dsn, keys, tmp_path):
    other = fresh_keys(tmp_path / "other")
    async with notarised(dsn, keys) as (ledger, _):
        head = await covered(ledger)
    other.path.parent.mkdir()
    other.path.touch(0o600)
    other.path.write_bytes(keys.path.read_bytes())
    async with notarised(dsn, other) as (_, notary):
        await refusal(notary, "kept-missing")
    other.keep(head.note)
    async with notarised(dsn, other) as (ledger, _):
        await posted(ledger, pay())
        await covered(ledger)
    async with notarised(dsn, keys) as (ledger, _):
        await posted(ledger, pay())
        await covered(ledger)
    await assert_one_history(dsn, keys, other.kept_path.read_bytes())


async def test_one_key_signs_for_one_database_at_a_time(server, dsn, keys):
    twin = await copied(server, dsn)
    async with notarised(dsn, keys) as (ledger, _):
        await covered(ledger)
        async with notarised(twin, keys) as (_, notary):
            await refusal(notary, "key-in-use")
    assert await query(twin, "SELECT 1 FROM ledger.checkpoints") == []


async def test_a_database_lost_again_and_again_while_signing_loses_nothing(dsn, keys):
    cut = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN (
        SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = $1)"""
    fired = 0
    async with notarised(dsn, keys) as (ledger, _):
        await covered(ledger)
        for pause in (0.0, 0.003, 0.006, 0.01, 0.02, 0.05):
            await posted(ledger, *(pay() for _ in range(300)))
            await asyncio.sleep(pause)
            fired += len(await query(dsn, cut, Notary.lease))
            await covered(ledger)
    assert fired
    await assert_one_history(dsn, keys)


async def test_without_the_last_checkpoint_beside_the_key_nothing_is_signed(dsn, keys):
    async with notarised(dsn, keys) as (ledger, _):
        head = await covered(ledger)
    keys.kept_path.unlink()
    async with notarised(dsn, keys) as (ledger, notary):
        await posted(ledger, pay())
        await refusal(notary, "kept-missing")
    assert keys.accept(head.note) == head.size
    async with notarised(dsn, keys) as (ledger, notary):
        await covered(ledger)
    await assert_one_history(dsn, keys)


async def test_when_it_is_deleted_under_a_running_notary_nothing_more_is_signed(dsn, keys):
    async with notarised(dsn, keys) as (ledger, notary):
        head = await covered(ledger)
        keys.kept_path.unlink()
        await posted(ledger, pay())
        await refusal(notary, "kept-missing")
        keys.keep(head.note)
        await covered(ledger)
        assert notary.refused is None


@pytest.mark.parametrize("spoil", [
    lambda raw: raw[:40], lambda raw: b"", lambda raw: raw.replace(b"\n", b"\r\n"),
    lambda raw: raw.replace(b"\nqa", b"\nqb"), lambda raw: raw + raw,
    lambda raw: raw[:60] + bytes([raw[60] ^ 1]) + raw[61:],
])  # fmt: skip
async def test_a_spoilt_last_checkpoint_stops_the_signing(dsn, keys, spoil):
    async with notarised(dsn, keys) as (ledger, _):
        head = await covered(ledger)
    spoilt = spoil(head.note)
    keys.kept_path.write_bytes(spoilt)
    async with notarised(dsn, keys) as (_, notary):
        if spoilt != head.note:
            await refusal(notary, "kept-unreadable")
    assert keys.accept(head.note) == head.size if spoilt != head.note else True


async def test_a_lost_key_is_not_replaced_silently(dsn, keys):
    async with notarised(dsn, keys) as (ledger, _):
        head = await covered(ledger)
    old = keys.public()
    keys.path.unlink()
    async with notarised(dsn, keys) as (_, notary):
        await refusal(notary, "key-missing")
    assert not keys.exist()
    keys.renew(head.note)
    async with notarised(dsn, keys) as (ledger, _):
        await posted(ledger, pay())
        newest = await covered(ledger)
    assert Trust(tuple(keys.public()), keys.origin).open(newest.note).size == newest.size
    assert keys.origin == old[0].name


async def test_a_lost_key_is_not_renewed_for_a_ledger_older_than_it_signed(server, dsn, keys):
    async with notarised(dsn, keys) as (ledger, _):
        old = await covered(ledger)
        await posted(ledger, pay())
        await covered(ledger)
    keys.path.unlink()
    with pytest.raises(Refused, match="were signed") as raised:
        keys.renew(old.note)
    assert raised.value.code == "older-ledger"
    assert not keys.exist()


async def test_a_rotated_key_signs_beside_the_old_one_until_that_is_retired(dsn, keys):
    async with notarised(dsn, keys) as (ledger, _):
        heads = [await covered(ledger)]
        [old] = keys.public()
        new = keys.rotate()
        await posted(ledger, pay())
        heads.append(await covered(ledger))
        keys.retire(old.id.hex())
        await posted(ledger, pay())
        heads.append(await covered(ledger))
    signed = [[key for key, _ in Note.parse(head.note).verified([old, new])] for head in heads]
    assert signed == [[old], [old, new], [new]]
    assert keys.public() == [old, new]
    assert [signer.key for signer in keys.signers()] == [new]
    assert PRIVATE not in keys.path.read_text("ascii").splitlines()[0]
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    await assert_one_history(dsn, keys)


def test_the_last_signing_key_is_not_retired(keys):
    key = keys.create("ledger.example/last")
    for identifier in (key.id.hex(), "00000000", ""):
        with pytest.raises(Refused, match="not one of several"):
            keys.retire(identifier)
    assert keys.signers()[0].key == key


def test_a_key_is_never_written_over_another(keys):
    keys.create("ledger.example/one")
    before = keys.path.read_bytes()
    with pytest.raises(Refused, match="is there"):
        keys.create("ledger.example/one")
    assert keys.path.read_bytes() == before


@pytest.mark.parametrize("text", [
    "", "PRIVATE+KEY+x+00000000+AAAA", "nonsense", "{0}\n{0}x", "# only a comment",
])  # fmt: skip
def test_an_unreadable_key_file_never_shows_its_text(keys, text):
    keys.create("ledger.example/one")
    secret = keys.path.read_text("ascii").strip()
    keys.path.write_text(text.format(secret), "ascii")
    with pytest.raises(Refused) as raised:
        keys.signers()
    assert raised.value.code == "key-unreadable"
    assert secret.rpartition("+")[2] not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_an_origin_other_than_the_keys_is_refused(dsn, keys):
    keys.create("ledger.example/one")
    async with notarised(dsn, keys, origin="ledger.example/other") as (_, notary):
        await refusal(notary, "origin")
    assert await query(dsn, "SELECT 1 FROM ledger.checkpoints") == []


async def test_the_default_origin_is_the_ledgers_own_and_stays(server, dsn, keys, tmp_path):
    async with notarised(dsn, keys) as (ledger, _):
        await covered(ledger)
    twin = fresh_keys(tmp_path / "twin")
    copy = await copied(server, dsn)
    await tamper(copy, *(f"DELETE FROM ledger.{table}" for table in
                         ("checkpoints", "tree_heads", "tiles")))  # fmt: skip
    async with notarised(copy, twin) as (ledger, _):
        await covered(ledger)
    assert keys.origin == twin.origin
    assert keys.origin.startswith("qazyna.local/")


class Crowd:
    """Witnesses of whom one may have seen more."""

    def __init__(self) -> None:
        self.ahead, self.asked = 0, []

    async def __call__(self, note, old_size, proof):
        size = Checkpoint.parse(Note.parse(note).text).size
        if self.ahead > size:
            raise WitnessAhead("w", self.ahead)
        self.asked.append((size, old_size, len(proof)))
        return []

    def satisfied(self, note):
        return False


async def test_a_witness_that_has_seen_more_stops_the_signing_at_start(dsn, keys):
    crowd = Crowd()
    async with notarised(dsn, keys, witnesses=crowd) as (ledger, _):
        head = await covered(ledger)
        assert not head.witnessed
        assert crowd.asked[0][1:] == (0, 0)
        assert crowd.asked[-1][0] == head.size
    crowd.ahead = head.size + 1
    async with notarised(dsn, keys, witnesses=crowd) as (ledger, notary):
        await posted(ledger, pay())
        await refusal(notary, "witness-ahead")
        crowd.ahead = 0
        await covered(ledger)


async def test_a_missing_event_is_never_signed_over(dsn, keys):
    async with notarised(dsn, keys) as (ledger, _):
        head = await covered(ledger)
    async with Ledger(dsn, clock=Clock()) as ledger:
        [answer] = await accepted(ledger, pay())
        await asyncio.sleep(0.2)
    await tamper(dsn, f"DELETE FROM ledger.events WHERE position = {answer.position} AND log = ("
                 f"SELECT log FROM ledger.heads WHERE code = '{answer.budget}')")  # fmt: skip
    async with notarised(dsn, keys) as (_, notary):
        await refusal(notary, "gap")
    newest = await query(dsn, "SELECT max(size) AS n FROM ledger.checkpoints")
    assert newest[0]["n"] == head.size


async def test_a_rival_that_wrote_another_root_first_stops_the_signing(dsn, keys):
    """The primary key of the heads: one size never gets two roots."""
    async with notarised(dsn, keys) as (ledger, _):
        head = await covered(ledger)
    connection = await asyncpg.connect(dsn)
    try:
        for size, root in ((head.size, b"\x01" * 32), (head.size - 1, head.root)):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await connection.execute(
                    "SELECT ledger.grow_tree('{}', '{}', '{}', '{}', $1, $2, 0)", size, root
                )
    finally:
        await connection.close()


async def test_the_notary_outlives_a_database_that_is_away_at_first(tmp_path, keys):
    database = Database(f"postgresql://nobody@/none?host={tmp_path}")
    notary = Notary(database, Clock(), keys)
    await notary.start()
    await asyncio.sleep(0.05)
    await notary.stop()
    assert not keys.exist()
