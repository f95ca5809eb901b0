"""Erasing personal values (Law of 21 May 2013 No 94-V, art. 18): the order is a fact."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.instruments.asks import RUNNING, Ask
from tests.instruments.harness import accepted, given, refused

OWN = str(UUID(int=900))


def erase(by="treasury", **fields):
    fields = {"erased_command": str(UUID(int=1)), "reason": "storage period is over", **fields}
    return Ask("EraseAnnex", by, fields, dated=())


@pytest.mark.parametrize(("ask", "then"), [
    (erase(), accepted("ledger.annex.erased")),
    (erase(fields=["payee_name"]), accepted("ledger.annex.erased")),
    (erase(command_id=OWN, erased_command=OWN), refused("unknown-annex")),
    (erase(reason=None), refused("reason-missing")),
    (erase(by="akim"), refused("actor-not-authorized")),
])  # fmt: skip
def test_an_order_to_erase(ask, then):
    given(*RUNNING).when("2025-03-01", ask, then)


def test_an_order_to_erase_moves_no_money():
    book = given(*RUNNING)
    before = book.cash("2025-03-01")
    book.when("2025-03-01", erase(), accepted("ledger.annex.erased"))
    assert book.cash("2025-03-01") == before
