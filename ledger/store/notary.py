"""The notary: a leaf for every sequenced event, tiles, and a signed checkpoint over them.

One active part (a lease, and a lock on the key file). The order that never lets two
checkpoints contradict each other: tiles and head committed, signed, synced beside the key,
cosigned, published. Whatever is lost in between is done again with the same bytes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ledger.errors import Corrupt
from ledger.proofs.notes import add_signatures, write_checkpoint
from ledger.proofs.tiles import WIDTH, Tile, TileTree, partial_tiles, tile_root
from ledger.proofs.verify import Checkpoint, Note
from ledger.store.evidence import (
    SignedHead,
    prove_growth,
    read_checkpoint,
    read_hashes,
    read_tiles,
    root_of,
)
from ledger.store.keys import Keys, Refused
from ledger.store.leader import Leader, pause
from ledger.store.pool import Database
from ledger.store.sql import sql

log = logging.getLogger(__name__)
PAGE = 16 * WIDTH
"""Leaves taken at once: bounds memory and how long the event loop waits."""
CHECKPOINT_SECONDS = 0.5
"""Between two checkpoints, so that no event waits a second for one, also on a busy machine."""
IDLE_SECONDS, REFUSED_SECONDS, WITNESS_SECONDS = 0.1, 2.0, 3.0
SETTLE_SECONDS, SETTLE_POLL_SECONDS = 2.0, 0.02


class WitnessAhead(Exception):
    """A witness has seen a larger tree than ours: `size` leaves."""

    def __init__(self, name: str, size: int) -> None:
        """Take who says so and the size it has cosigned."""
        super().__init__(f"the witness {name} has cosigned a tree of {size} leaves")
        self.size = size


class Witnesses(Protocol):
    """Collects cosignatures of a policy's witnesses."""

    def __call__(
        self, note: bytes, old_size: int, proof: Sequence[bytes]
    ) -> Awaitable[Sequence[str]]:
        """Return verified lines that a note lacks; raise `WitnessAhead`, nothing else.

        `proof` joins the tree of `old_size` to the note's; a witness that stands elsewhere is
        answered from `Evidence.consistency`. Asked at start with the last signed note.
        """
        ...

    def satisfied(self, note: bytes) -> bool:
        """Tell whether a note carries the cosignatures that the policy asks for."""
        ...


class Notary(Leader):
    """Grows the tree and signs it; holds the key file too, and signs what is there at the end."""

    name = "notary"
    lease = 0x71617A6E  # "qazn"
    stop_seconds = 10.0

    def __init__(
        self, database: Database, clock: Callable[[], int], keys: Keys, *,
        origin: str | None = None, witnesses: Witnesses | None = None,
    ) -> None:  # fmt: skip
        """Take the clock as microseconds since 1970 UTC and the name of the log for a new key."""
        super().__init__(database)
        self.clock, self.keys = clock, keys
        self.origin, self.witnesses = origin, witnesses
        self.leaves = 0
        self.signed_size = 0
        self.refused: Refused | None = None
        self.refusals = 0

    def nudge(self) -> None:
        """Say that something was sequenced."""
        self._nudged.set()

    def _failed(self, error: Exception) -> float:
        """Tell of a failure; a refusal is told once, and looked at again more rarely."""
        if not isinstance(error, Refused):
            return super()._failed(error)
        self._refuse(error)
        return REFUSED_SECONDS

    def _refuse(self, refused: Refused) -> None:
        """Count a refusal to sign, and log it when it is new."""
        self.refusals += 1
        if self.refused is None or self.refused.code != refused.code:
            log.critical("the notary refuses to sign (%s): %s", refused.code, refused.message)
        self.refused = refused

    def _held(self) -> AbstractContextManager[Any]:
        """The key file."""
        return self.keys.held()

    async def _work(self, connection: Any) -> None:
        """Grow and sign until the end; the last checkpoint covers everything sequenced."""
        while not await connection.fetchval(sql("queries/sequenced_up_to")):
            if self._stopping.is_set() and not await _settled(connection):
                return
            await pause(self._nudged, IDLE_SECONDS)
        work = await _Work.resume(self, connection)
        while True:
            closing = self._stopping.is_set()
            self._nudged.clear()
            began = time.monotonic()
            signed = await work.step(closing=closing)
            self.leaves, self.signed_size = work.tree.size, work.signed_size
            self.refused = None
            if closing:
                return
            if signed:
                left = CHECKPOINT_SECONDS - (time.monotonic() - began)
                await pause(self._stopping, left)
            else:
                await pause(self._nudged, IDLE_SECONDS)


class _Work:
    """The tree in memory while this process leads, on the connection that holds the lease."""

    def __init__(self, notary: Notary, connection: Any, tree: TileTree) -> None:
        """Take the tree as it is kept."""
        self.notary, self.connection, self.tree = notary, connection, tree
        self.keys = notary.keys
        self.signed_size = 0
        self.witnessed = False
        self.seen: bytes | None = None

    @classmethod
    async def resume(cls, notary: Notary, connection: Any) -> _Work:
        """Go on from the full tiles; see that the tree holds all that was ever signed."""
        state = await connection.fetchrow(sql("queries/tree_state"))
        size = state["tiles"] * WIDTH
        tiles = await read_tiles(connection, partial_tiles(size))
        work = cls(notary, connection, TileTree(size, tiles.__getitem__))
        await work._grow(state["sequence"])
        published = await read_checkpoint(connection)
        await work._own_keys(published)
        if state["size"]:
            await work._holds(state["size"], state["root"], "a head in the database")
        work.signed_size = published.size if published else 0
        work.witnessed = published is not None and published.witnessed
        await work._check_kept()
        if work.seen is not None:
            await work._cosigned(work.seen, 0)
        return work

    async def _own_keys(self, published: SignedHead | None) -> None:
        """Make the keys of a log that never signed. Raises `Refused` where they are lost."""
        notary, keys = self.notary, self.keys
        if not keys.exist():
            if published is not None or keys.kept_path.exists():
                raise Refused("key-missing", f"there is no key file {keys.path}, and this log has "
                              "signed: restore it, or see `qazyna keys new --help`")  # fmt: skip
            origin = notary.origin or await self._own_origin()
            key = await asyncio.to_thread(keys.create, origin)
            log.info("a new key of the notary in %s: %s", keys.path, key.text)
        if notary.origin not in (None, keys.origin):
            raise Refused("origin", f"the keys of {keys.path} sign for {keys.origin}, "
                          f"not for {notary.origin}")  # fmt: skip

    async def _own_origin(self) -> str:
        """Name a log that was given no name: by the leaf of its first event, which stays."""
        return f"qazyna.local/{(await read_hashes(self.connection, 0, 1)).hex()[:12]}"

    async def _check_kept(self) -> None:
        """See that the tree holds the checkpoint kept beside the key, if that changed."""
        kept = await asyncio.to_thread(self.keys.kept)
        if kept is None:
            if self.signed_size or self.seen is not None:
                raise Refused("kept-missing", f"{self.keys.kept_path} is gone, and this log has "
                              "signed: restore it, or see `qazyna keys accept --help`")  # fmt: skip
            return
        if kept.raw != self.seen:
            await self._holds(kept.size, kept.root, "the last signed checkpoint")
        self.seen = kept.raw

    async def _holds(self, size: int, root: bytes, what: str) -> None:
        """Raise `Refused` unless the tree begins with a head."""
        if size > self.tree.size:
            raise Refused("older-ledger", f"the ledger has {self.tree.size} events and {what} "
                          f"{size}: it is older than what was signed")  # fmt: skip
        if await root_of(self.connection, size) != root:
            raise Refused("forked", f"the first {size} events are not those of {what}")

    async def step(self, *, closing: bool) -> bool:
        """Grow by what is sequenced and sign it; tell whether there was something."""
        if closing:
            await _settled(self.connection)
        await self._grow(await self.connection.fetchval(sql("queries/sequenced_up_to")))
        if self.tree.size == self.signed_size:
            if self.notary.witnesses is not None and not self.witnessed and not closing:
                await self._cosign_again()
            return False
        await self._sign()
        return True

    async def _grow(self, sequence: int) -> None:
        """Add the leaves up to a sequence, page by page, keeping the tiles that fill."""
        while self.tree.size < sequence:
            edge = self.tree.size - self.tree.size % WIDTH + PAGE
            try:
                hashes = await read_hashes(self.connection, self.tree.size, min(sequence, edge))
            except Corrupt as error:
                raise Refused("gap", error.message) from error
            if not hashes:
                raise Refused("gap", f"the event of sequence {self.tree.size + 1} is missing")
            self.tree.extend(hashes)
            if full := self.tree.take_full():
                await self._keep_tiles(full)

    async def _keep_tiles(self, full: Sequence[tuple[Tile, bytes]]) -> None:
        """Commit full tiles."""
        await self.connection.execute(
            sql("queries/grow_tree"), [tile.level for tile, _ in full],
            [tile.index for tile, _ in full], [tile_root(raw) for _, raw in full],
            [raw for _, raw in full], None, None, None,
        )  # fmt: skip

    async def _sign(self) -> None:
        """Commit the head, sign it, keep it beside the key, have it cosigned, publish it."""
        await self._check_kept()
        size, root, now = self.tree.size, self.tree.root, self.notary.clock()
        await self.connection.execute(sql("queries/grow_tree"), [], [], [], [], size, root, now)
        note = await asyncio.to_thread(self._signed, size, root)
        self.seen = note
        await self._publish(size, note, await self._cosigned(note, self.signed_size))
        self.signed_size = size

    async def _publish(self, size: int, note: bytes, lines: Sequence[str]) -> None:
        """Publish a note with the witnesses' lines, marked by whether they are a quorum."""
        witnesses, whole = self.notary.witnesses, add_signatures(note, lines)
        self.witnessed = witnesses is not None and witnesses.satisfied(whole)
        await self.connection.execute(
            sql("queries/publish_checkpoint"), size, whole, self.witnessed, self.notary.clock()
        )

    async def _cosign_again(self) -> None:
        """Publish the newest checkpoint once more when the quorum that it lacked has come."""
        published, witnesses = await read_checkpoint(self.connection), self.notary.witnesses
        if published is None or witnesses is None or self.witnessed:
            return
        lines = await self._cosigned(published.note, 0)
        if lines and witnesses.satisfied(add_signatures(published.note, lines)):
            await self._publish(published.size, published.note, lines)

    def _signed(self, size: int, root: bytes) -> bytes:
        """Sign a head with every signing key and keep it on the disk before anybody sees it."""
        note = write_checkpoint(Checkpoint(self.keys.origin, size, root), self.keys.signers())
        self.keys.keep(note)
        return note

    async def _cosigned(self, note: bytes, old: int) -> Sequence[str]:
        """Return the witnesses' lines; a witness that has seen more stops the signing."""
        witnesses, size = self.notary.witnesses, Checkpoint.parse(Note.parse(note).text).size
        if witnesses is None:
            return ()
        proof = (await prove_growth(self.connection, old, size)).hashes
        try:
            async with asyncio.timeout(WITNESS_SECONDS):
                return await witnesses(note, old, proof)
        except WitnessAhead as ahead:
            raise Refused("witness-ahead", f"{ahead}, ours has {size}") from ahead
        except TimeoutError:
            log.warning("the witnesses did not answer within %s s", WITNESS_SECONDS)
            return ()


async def _settled(connection: Any) -> int:
    """Wait a while for the sequencer, so that the last checkpoint covers what was posted.

    Returns the last sequence.
    """
    until = time.monotonic() + SETTLE_SECONDS
    while await connection.fetchval(sql("queries/unsequenced")):
        if time.monotonic() > until:
            break
        await asyncio.sleep(SETTLE_POLL_SECONDS)
    found: int = await connection.fetchval(sql("queries/sequenced_up_to"))
    return found
