"""A witness: cosigns a log's checkpoint only when the tree grew out of the one it signed before.

The rules of tlog-witness, on files; no clock, no network. What a witness has cosigned last is read
from the disk for each request and is on the disk again before the cosignature is handed out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from ledger.proofs.keeping import hold, key_file, write_whole
from ledger.proofs.notes import write_line, write_note
from ledger.proofs.verify import (
    CONSISTENCY,
    COSIGNATURE,
    EMPTY_ROOT,
    HASH_BYTES,
    Checkpoint,
    Key,
    Note,
    Proof,
    ProofError,
    decode_base64,
    decode_decimal,
    read_proof,
    verify_consistency,
)

PROOF_LINES_MAX = 63
KEY, LOCK = "witness.key", "lock"


class Rejected(Exception):
    """A checkpoint is not cosigned; `status` is the HTTP status that tlog-witness gives it.

    400 malformed, 403 not signed by the log, 404 unknown log, 409 another size was cosigned last
    (`size`), 422 the tree did not grow out of the one that was cosigned.
    """

    def __init__(self, status: int, message: str, size: int | None = None) -> None:
        """Keep the status, a sentence for people and, for 409, the size."""
        super().__init__(message)
        self.status = status
        self.size = size


class Witness:
    """One key, and for each log the last checkpoint that was cosigned with it."""

    def __init__(self, home: Path, logs: Iterable[Key], name: str | None = None) -> None:
        """Lock the folder, read or make the key, and read every record once.

        Logs are known by the names of their keys. Raises `ProofError`: "in-use" while another
        process holds the folder, "no-key" and "key" as `key_file`, "state" for a damaged record.
        """
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.home = home
        self.logs: dict[str, list[Key]] = {}
        for key in logs:
            self.logs.setdefault(key.name, []).append(key)
        self._lock = hold(home / LOCK)
        try:
            self.signer = key_file(home / KEY, name, COSIGNATURE)
            for origin in self.logs:
                self.cosigned(origin)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Free the folder."""
        self._lock.close()

    def __enter__(self) -> Self:
        """Hand out itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def cosigned(self, origin: str) -> Checkpoint | None:
        """Return the last checkpoint of a log that was cosigned. Raises `ProofError` "state"."""
        path = self._path(digest_of(origin))
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            note = Note.parse(raw)
            signed, head = note.verified([self.signer.key]), Checkpoint.parse(note.text)
        except ProofError as error:
            raise ProofError("state", f"{path} is damaged: {error}") from error
        if head.origin != origin or not signed:
            raise ProofError("state", f"{path} is not a record of {origin} by this witness's key")
        return Checkpoint(origin, head.size, head.root, head.extensions, raw, tuple(signed))

    def checkpoint(self, digest: str) -> bytes | None:
        """Return the last cosigned note of the log whose origin has this SHA-256, or None."""
        for origin in self.logs:
            if digest_of(origin) == digest:
                found = self.cosigned(origin)
                return found.raw if found else None
        return None

    def add_checkpoint(self, request: bytes, moment: int) -> bytes:
        """Cosign a checkpoint at a POSIX time and return the signature line with its newline.

        One call at a time. Raises `Rejected`, `ProofError` "state", and OSError where the record
        cannot be written; then nothing was cosigned.
        """
        paper, note, head = _read(request)
        keys = self.logs.get(head.origin)
        if keys is None:
            raise Rejected(404, "this witness does not know the log")
        try:
            signed = note.verified(keys)
        except ProofError as error:
            raise Rejected(403, str(error)) from error
        if not signed:
            raise Rejected(403, "no signature of a key of the log")
        latest = self.cosigned(head.origin)
        _check_growth(paper, head, latest)
        if latest is not None:  # a clock that was set back must not contradict what was said
            moment = max(moment, *(at for _, at in latest.cosigned))
        line = self.signer.cosign(note.text, moment)
        known = {(key.name, key.id) for key, _ in signed}
        kept = [write_line(*one) for one in note.signatures if one[:2] in known]
        write_whole(self._path(digest_of(head.origin)), write_note(note.text, [*kept, line]))
        return f"{line}\n".encode()

    def _path(self, digest: str) -> Path:
        """Return where the record of a log is kept."""
        return self.home / f"{digest}.checkpoint"


def digest_of(origin: str) -> str:
    """Return a log's name as it stands in addresses and file names: SHA-256 of its origin, hex."""
    return hashlib.sha256(origin.encode()).hexdigest()


def _read(request: bytes) -> tuple[Proof, Note, Checkpoint]:
    """Read a request; nothing is verified yet. Raises `Rejected` 400.

    `Checkpoint.parse` refuses the empty tree with a root of its own as malformed, where
    tlog-witness wants 422, and only after the signature and the sizes; so it is read here.
    """
    try:
        paper = read_proof(request, CONSISTENCY)
        note = Note.parse(paper[2])
        lines = [*note.text.decode().split("\n")[:-1], "", "", ""]
        size, root = decode_decimal(lines[1]), decode_base64(lines[2])
    except ProofError as error:
        raise Rejected(400, str(error)) from error
    lines = lines[:-3]
    if not all(lines) or len(root) != HASH_BYTES:
        raise Rejected(400, "a checkpoint has non-empty lines, and a root of 32 bytes")
    if len(paper[1]) > PROOF_LINES_MAX:
        raise Rejected(400, f"more than {PROOF_LINES_MAX} proof lines")
    return paper, note, Checkpoint(lines[0], size, root, tuple(lines[3:]))


def _check_growth(paper: Proof, head: Checkpoint, latest: Checkpoint | None) -> None:
    """Raise `Rejected` unless the tree grew out of the one that was cosigned last."""
    known, (old_size, hashes, *_) = latest.size if latest else 0, paper
    if old_size > head.size:
        raise Rejected(400, f"old size {old_size} above the checkpoint's size {head.size}")
    if old_size != known:
        raise Rejected(409, f"this witness cosigned size {known} last", known)
    if head.size == 0 and head.root != EMPTY_ROOT:
        raise Rejected(422, "an empty tree with a root of its own")
    if old_size == 0 and hashes:
        raise Rejected(422, "a proof from the empty tree is empty")
    if old_size and latest is not None:
        try:
            verify_consistency(known, head.size, latest.root, head.root, hashes)
        except ProofError as error:
            raise Rejected(422, str(error)) from error
