"""Files that must survive a crash: written whole or not at all, synced, and keys that stay secret.

Used by whoever signs: what was signed last must be on the disk before anybody sees it.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from typing import BinaryIO

from ledger.proofs.notes import Signer
from ledger.proofs.verify import SIGNATURE, ProofError

SECRET, PUBLIC = 0o600, 0o644


def write_whole(path: Path, raw: bytes, mode: int = PUBLIC) -> None:
    """Put a file in the place of an older one; after a crash either the old or the new is there.

    Returns when file and folder are synced. Raises OSError, and then the old one may still stand.
    """
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)  # left by a crash, perhaps with another mode
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(handle, "wb") as file:  # noqa: PTH123 - an open handle, for its mode
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def hold(path: Path) -> BinaryIO:
    """Lock a file for this process until it is closed. Raises `ProofError` with code "in-use"."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise ProofError("in-use", f"another process holds {path}") from error
    return file


def key_file(path: Path, name: str | None = None, kind: int = SIGNATURE) -> Signer:
    """Read a signer from its file; make both where there is none and a name is given.

    Raises `ProofError`: "no-key" without file and name, "key" for a file that others can read,
    that holds no key, or the key of another name or type. The messages never show the key.
    """
    try:
        mode, text = path.stat().st_mode, path.read_text().strip()
    except FileNotFoundError:
        if name is None:
            raise ProofError("no-key", f"there is no key in {path}, and no name for one") from None
        signer = Signer.generate(name, kind)
        write_whole(path, f"{signer.text}\n".encode(), SECRET)
        return signer
    if stat.S_IMODE(mode) & 0o007:
        raise ProofError("key", f"others can use {path}: chmod o= it, and think of a new key")
    try:
        signer = Signer.parse(text)
    except ProofError:
        raise ProofError("key", f"{path} holds no signer key") from None
    if signer.key.kind != kind or name not in (None, signer.key.name):
        found = f"the key of {signer.key.name}, type {signer.key.kind}"
        raise ProofError("key", f"{path} holds {found}, not {name or 'one'} of type {kind}")
    return signer
