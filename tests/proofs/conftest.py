"""One log for all tests of proofs: 2 000 leaves, a signer and two witnesses from fixed seeds."""

import hashlib

import pytest

from ledger.proofs.leaf import Leaf
from ledger.proofs.merkle import Tree
from ledger.proofs.notes import Signer
from ledger.proofs.verify import COSIGNATURE

SIZE_MAX = 2000


@pytest.fixture(scope="session")
def leaves() -> list[bytes]:
    return [
        Leaf(
            log=f"KZ-2025-oblast-{number % 20}",
            position=number // 20 + 1,
            kind="budget.payment.executed",
            recorded_at=1_739_836_800_000_000 + number,
            chain=hashlib.sha256(b"chain %d" % number).digest(),
            body=hashlib.sha256(b"body %d" % number).digest(),
        ).encode()
        for number in range(SIZE_MAX)
    ]


@pytest.fixture(scope="session")
def tree(leaves: list[bytes]) -> Tree:
    return Tree(leaves)


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer("ledger.example/kz", bytes(range(32)))


@pytest.fixture(scope="session")
def witnesses() -> list[Signer]:
    return [Signer(f"witness{n}.example", bytes([n]) * 32, COSIGNATURE) for n in (1, 2)]
