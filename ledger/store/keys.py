"""The notary's files: signing keys, and beside them the last checkpoint that was signed.

Both live outside the database. A key file has one key a line: a secret one signs, a public one
(retired) only verifies what it signed before. The checkpoint is written and synced BEFORE it is
published: a ledger that does not hold it is older than what the world has seen.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import Broken
from ledger.proofs.keeping import SECRET, hold, write_whole
from ledger.proofs.notes import PRIVATE, Signer, write_checkpoint
from ledger.proofs.verify import Checkpoint, Key, Note, ProofError, Trust

OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Refused(Broken):
    """The notary does not sign; `code` says why, and it is tried again later."""

    def __init__(self, code: str, message: str) -> None:
        """Take a stable code and a sentence for people."""
        super().__init__(message)
        self.code = code


class Keys:
    """A key file and the checkpoint file beside it; a secret leaves it only as a `Signer`."""

    def __init__(self, path: Path) -> None:
        """Take the key file's path; nothing is read yet."""
        self.path = path
        self.kept_path = path.with_name(f"{path.name}.checkpoint")

    def __repr__(self) -> str:
        """Show where, never what."""
        return f"Keys({self.path})"

    def exist(self) -> bool:
        """Tell whether there is a key file."""
        return self.path.exists()

    def _lines(self) -> list[str]:
        """Return the key file's keys. Raises `Refused`."""
        try:
            if stat.S_IMODE(self.path.stat().st_mode) & OTHERS:
                raise Refused("key-open", f"others can use {self.path}: chmod 600, and think of "
                              "a rotation")  # fmt: skip
            lines = self.path.read_text("ascii").splitlines()
        except FileNotFoundError as error:
            raise Refused("key-missing", f"there is no key file {self.path}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise Refused("key-unreadable", f"the key file {self.path}: {error}") from error
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]

    def signers(self) -> list[Signer]:
        """Return the keys that sign, oldest first. Raises `Refused`."""
        return [one for one in self._read() if isinstance(one, Signer)]

    def public(self) -> list[Key]:
        """Return the verifying keys, retired ones too, oldest first. Raises `Refused`."""
        return [one.key if isinstance(one, Signer) else one for one in self._read()]

    def _read(self) -> list[Signer | Key]:
        """Read every line. Raises `Refused`; its message never shows a line."""
        try:
            found = [
                Signer.parse(line) if line.startswith(PRIVATE) else Key.parse(line)
                for line in self._lines()
            ]
        except ProofError:
            raise Refused("key-unreadable", f"the key file {self.path} cannot be read") from None
        names = {(one.key if isinstance(one, Signer) else one).name for one in found}
        if len(names) != 1 or not any(isinstance(one, Signer) for one in found):
            raise Refused("key-unreadable", f"the key file {self.path} needs a signing key, "
                          "and one name for all its keys")  # fmt: skip
        return found

    @property
    def origin(self) -> str:
        """The name of the log that these keys sign for. Raises `Refused`."""
        return self.public()[0].name

    def create(self, origin: str) -> Key:
        """Make the key file with a new key; never over an existing one. Raises `Refused`."""
        try:
            signer = Signer.generate(origin)
        except ProofError as error:
            raise Refused("origin", f"{origin!r} cannot name a log: {error}") from error
        if self.exist():
            raise Refused("key-exists", f"{self.path} is there: `qazyna keys rotate` adds a key")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write([signer.text])
        return signer.key

    def rotate(self) -> Key:
        """Add a new key: from now on it signs beside the older ones."""
        signer = Signer.generate(self.origin)
        self._write([*self._lines(), signer.text])
        return signer.key

    def retire(self, identifier: str) -> Key:
        """Destroy the secret of a key by its hex id; its public half stays, to verify.

        Raises `Refused` where no signing key would be left.
        """
        signers = {signer.key.id.hex(): signer for signer in self.signers()}
        if identifier not in signers or len(signers) == 1:
            raise Refused("key-needed", f"{identifier} is not one of several signing keys: "
                          f"{', '.join(signers)}")  # fmt: skip
        gone = signers[identifier]
        self._write([gone.key.text if line == gone.text else line for line in self._lines()])
        return gone.key

    def _write(self, lines: list[str]) -> None:
        """Write the key file whole or not at all. Raises `Refused`."""
        try:
            write_whole(self.path, "".join(f"{line}\n" for line in lines).encode(), SECRET)
        except OSError as error:
            raise Refused("key-unwritable", f"{self.path}: {error.strerror}") from error

    def kept(self) -> Checkpoint | None:
        """Return the last checkpoint that was signed, verified; None before the first.

        Raises `Refused` where the file is there and is not such a checkpoint.
        """
        try:
            raw = self.kept_path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused("kept-unreadable", f"{self.kept_path}: {error}") from error
        try:
            return Trust(tuple(self.public()), self.origin).open(raw)
        except ProofError as error:
            raise Refused(
                "kept-unreadable", f"{self.kept_path} is no checkpoint of these keys: {error}"
            ) from error

    def accept(self, note: bytes) -> int:
        """Keep a published note as the last signed, where none is kept; return its size.

        Raises `Refused` where one is kept, or the note is not signed by these keys.
        """
        if self._is_kept():
            raise Refused("kept", f"{self.kept_path} is there and whole")
        try:
            head = Trust(tuple(self.public()), self.origin).open(note)
        except ProofError as error:
            raise Refused("checkpoint-unsigned", f"the published checkpoint: {error}") from error
        self.keep(note)
        return head.size

    def _is_kept(self) -> bool:
        """Tell whether the last signed checkpoint is there and whole."""
        try:
            return self.kept() is not None
        except Refused:
            return False

    def renew(self, note: bytes) -> Key:
        """Make a new key file for a log whose keys are lost, beginning with its published tree.

        Raises `Refused` where the lost keys are known to have signed a larger tree.
        """
        head = Checkpoint.parse(Note.parse(note).text)
        if self.kept_path.exists():
            last = Checkpoint.parse(Note.parse(self.kept_path.read_bytes()).text)
            if last.size > head.size:
                raise Refused("older-ledger", f"{last.size} events were signed, and the ledger "
                              f"publishes {head.size}")  # fmt: skip
        key = self.create(head.origin)
        self.keep(write_checkpoint(head, self.signers()))
        return key

    def keep(self, note: bytes) -> None:
        """Write the checkpoint that was just signed, synced to the disk, whole or not at all."""
        write_whole(self.kept_path, note)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the keys against other notaries of this machine. Raises `Refused`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock = hold(self.path.with_name(f"{self.path.name}.lock"))
        except ProofError as error:
            raise Refused("key-in-use", f"another notary signs with {self.path}") from error
        with lock:
            yield
