"""What a superuser changes in the tree, or in events together with their chain: `check` sees it."""

import asyncpg
import pytest

from ledger.store.checks import check
from ledger.store.keys import Keys
from ledger.store.tree_check import check_kept
from tests.proofs.ledgers import covered, fresh_keys, notarised, posted
from tests.store.conftest import (  # noqa: F401 - fixtures
    clock,
    create,
    migrated_template,
    world_template,
)
from tests.store.world import RAYON, pay, query, tamper

# ruff: noqa: F811 - fixtures are named as the functions that make them
HERE = f"log = (SELECT log FROM ledger.heads WHERE code = '{RAYON}')"
BYTE = "set_byte({0}, 9, get_byte({0}, 9) # 1)"
CASES = {
    "a tile edited": (f"UPDATE ledger.tiles SET hashes = {BYTE.format('hashes')}", "tile-differs"),
    "a tile's root edited": (f"UPDATE ledger.tiles SET root = {BYTE.format('root')}",
                             "tile-differs"),
    "a tile deleted": ("DELETE FROM ledger.tiles WHERE level = 0", "tile-missing"),
    "a tile invented": (
        "INSERT INTO ledger.tiles SELECT level, index + 9, root, hashes FROM ledger.tiles LIMIT 1",
        "tile-invented"),
    "a head edited": (f"UPDATE ledger.tree_heads SET root = {BYTE.format('root')}",
                      "root-differs"),
    "a head beyond the ledger": (
        ("INSERT INTO ledger.tree_heads SELECT max(size) + 5, '\\x00'::bytea || substring("
         "min(root) FOR 31), 0 FROM ledger.tree_heads"), "older-ledger"),
    "a head deleted below its checkpoint": ("DELETE FROM ledger.tree_heads", "checkpoint-differs"),
    "a checkpoint's text edited": (
        f"UPDATE ledger.checkpoints SET note = {BYTE.replace('9', '30').format('note')}",
        "checkpoint-differs"),
    "an event's body, chain and head rewritten": (
        (f"WITH e AS (UPDATE ledger.events SET body = body || ' ', hash = sha256(body) WHERE {HERE}"
         f" AND position = (SELECT position FROM ledger.heads WHERE {HERE}) RETURNING hash)"
         f" UPDATE ledger.heads SET hash = e.hash FROM e WHERE {HERE}"), "root-differs"),
    "an event's time in its column": (
        f"UPDATE ledger.events SET recorded_at = recorded_at + 1 WHERE {HERE} AND position = 3",
        "root-differs"),
}  # fmt: skip


@pytest.fixture(scope="module")
async def signed_template(server, world_template, tmp_path_factory):
    """A database with a full tile and two checkpoints, the older note, and its keys."""
    name, keys = await create(server, world_template), fresh_keys(tmp_path_factory.mktemp("keys"))
    async with notarised(server.dsn(name), keys) as (ledger, _):
        old = await covered(ledger)
    async with notarised(server.dsn(name), keys) as (ledger, _):
        await posted(ledger, *(pay() for _ in range(300)))
        await covered(ledger)
    assert await check(server.dsn(name)) == []
    return name, old, keys


@pytest.fixture
async def signed(server, signed_template):
    """A copy of that database, the older checkpoint, and the keys."""
    name, old, keys = signed_template
    return server.dsn(await create(server, name)), old, keys


async def beside(dsn: str, keys: Keys) -> list[str]:
    """The codes of what differs from the files beside the key."""
    connection = await asyncpg.connect(dsn)
    try:
        return [code for code, _ in await check_kept(connection, keys)]
    finally:
        await connection.close()


@pytest.mark.parametrize("name", CASES)
async def test_check_names_what_was_changed_in_the_tree(signed, name):
    dsn, _, _ = signed
    statement, code = CASES[name]
    await tamper(dsn, statement)
    assert code in {one.code for one in await check(dsn)}


async def test_an_untouched_ledger_agrees_with_the_files_beside_its_key(signed):
    dsn, _, keys = signed
    assert await beside(dsn, keys) == []


async def test_a_checkpoint_that_was_rolled_back_is_shown_by_the_one_beside_the_key(signed):
    dsn, old, keys = signed
    await tamper(dsn, *(f"DELETE FROM ledger.{table} WHERE size > {old.size}"
                        for table in ("checkpoints", "tree_heads")))  # fmt: skip
    assert await check(dsn) == []
    assert await beside(dsn, keys) == ["checkpoint-rolled-back"]


async def test_a_rewritten_history_with_its_own_tree_is_shown_by_the_one_beside_the_key(
    signed, tmp_path
):
    """Everything in the database agrees with itself, signed with the true key: only what was
    signed before tells.
    """
    dsn, _, keys = signed
    await tamper(
        dsn, "DELETE FROM ledger.checkpoints", "DELETE FROM ledger.tree_heads",
        "DELETE FROM ledger.tiles",
        f"UPDATE ledger.events SET recorded_at = recorded_at - 1 WHERE {HERE} AND position = 3",
    )  # fmt: skip
    thief = fresh_keys(tmp_path)
    thief.path.touch(0o600)
    thief.path.write_bytes(keys.path.read_bytes())
    async with notarised(dsn, thief) as (ledger, _):
        await covered(ledger)
    of_tree = {"root-differs", "tile-differs", "tile-missing", "checkpoint-differs"}
    assert not of_tree & {one.code for one in await check(dsn)}
    assert await beside(dsn, keys) == ["forked"]


async def test_a_ledger_older_than_what_was_signed_is_named(server, signed_template, signed):
    dsn, _, keys = signed
    async with notarised(dsn, keys) as (ledger, _):
        await posted(ledger, pay())
        await covered(ledger)
    restored = server.dsn(await create(server, signed_template[0]))
    assert await beside(restored, keys) == ["older-ledger"]


@pytest.mark.parametrize(("spoil", "code"), [
    (lambda keys: keys.kept_path.unlink(), "kept-missing"),
    (lambda keys: keys.kept_path.write_bytes(b"spoilt"), "kept-unreadable"),
    (lambda keys: keys.path.unlink(), "key-missing"),
    (lambda keys: keys.path.chmod(0o644), "key-open"),
])  # fmt: skip
async def test_spoilt_files_beside_the_database_are_named(signed, tmp_path, spoil, code):
    dsn, _, keys = signed
    own = fresh_keys(tmp_path)
    for mine, theirs in ((own.path, keys.path), (own.kept_path, keys.kept_path)):
        mine.touch(0o600)
        mine.write_bytes(theirs.read_bytes())
    spoil(own)
    assert await beside(dsn, own) == [code]


async def test_a_newest_checkpoint_of_another_key_is_named(signed, tmp_path):
    dsn, _, keys = signed
    other = fresh_keys(tmp_path)
    other.create(keys.origin)
    assert await beside(dsn, other) == ["checkpoint-unsigned"]
    assert await query(dsn, "SELECT 1 FROM ledger.checkpoints")
