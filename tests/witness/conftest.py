"""A log in memory and two witnesses' keys from fixed seeds; the witnesses under test are real."""

import hashlib

import pytest

from ledger.proofs.merkle import Tree, consistency_proof, root_of
from ledger.proofs.notes import Signer, write_checkpoint, write_consistency
from ledger.proofs.verify import Checkpoint

ORIGIN = "ledger.example/kz"


class Log:
    """A log that signs what it is told to, also what an honest one never would."""

    def __init__(self, seed: int = 1, name: str = ORIGIN, word: str = "leaf") -> None:
        self.signer = Signer(name, bytes([seed]) * 32)
        self.tree = Tree(b"%s %d" % (word.encode(), n) for n in range(300))

    def head(self, size: int, root: bytes | None = None, *extensions: str) -> Checkpoint:
        found = root_of(size, self.tree) if root is None else root
        return Checkpoint(self.signer.key.name, size, found, extensions)

    def note(self, size: int) -> bytes:
        return write_checkpoint(self.head(size), [self.signer])

    def proof(self, old: int, size: int) -> list[bytes]:
        return consistency_proof(old, size, self.tree)

    def request(self, old: int, size: int, proof: list[bytes] | None = None) -> bytes:
        hashes = self.proof(old, size) if proof is None else proof
        return write_consistency(old, hashes, self.note(size))

    def signed(self, old: int, text: bytes, proof: tuple[bytes, ...] = ()) -> bytes:
        """A request over any text at all."""
        note = text + b"\n" + self.signer.sign(text).encode() + b"\n"
        return write_consistency(old, proof, note)


@pytest.fixture(scope="session")
def log() -> Log:
    return Log()


@pytest.fixture(scope="session")
def fork() -> Log:
    """The same log with the same key and another history."""
    return Log(word="other")


@pytest.fixture(scope="session")
def stranger() -> Log:
    return Log(seed=2, name="stranger.example/log")


def digest(origin: str = ORIGIN) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()
