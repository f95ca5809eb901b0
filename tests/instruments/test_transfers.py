"""Transfers: what an act says is its budget's own fact; money moves on both sides or not at all."""

from __future__ import annotations

import pytest

from tests.instruments.asks import (
    R_TRANSFER,
    RUNNING,
    P,
    R,
    approve,
    open_budget,
    send,
    set_transfer,
)
from tests.instruments.harness import OK, RAYON, Book, accepted, given, refused

RURAL, OBLAST, REPUBLIC = "KZ-2025-rural-7", "KZ-2025-oblast-19", "KZ-2025-republic"
OTHER, LATER = "KZ-2025-rayon-2", "KZ-2026-rural-7"
PEERS = ((RURAL, 4), (OBLAST, 2), (REPUBLIC, 1), (OTHER, 3))
DAY = "2025-03-18"


def running() -> Book:
    """A running rayon budget beside a rural one, an oblast, the republic and another rayon."""
    book = given(*RUNNING)
    for code, level in PEERS:
        book.when("2025-01-21", open_budget(level, budget=code))
    book.when("2025-01-21", open_budget(4, 2026, budget=LATER))
    return book


SENT = accepted("budget.transfer.sent", "budget.transfer.received")
NOT_ADJACENT = refused("levels-not-adjacent", level=3)


@pytest.mark.parametrize(("ask", "then"), [
    (send(100, RURAL), SENT),
    (send(100, OBLAST), SENT),
    (send(100, REPUBLIC), NOT_ADJACENT),
    (send(100, OTHER), NOT_ADJACENT),
    (send(100, REPUBLIC, exception_act="Government decree 12"), SENT),
    (send(100, RAYON), refused("same-budget")),
    (send(100, "KZ-2025-nowhere"), refused("unknown-peer", peer="KZ-2025-nowhere")),
    (send(100, "rulebook"), refused("unknown-peer")),
    (send(100, LATER), refused("wrong-year")),
    (send(100, RURAL, to_line=P), refused("wrong-section")),
    (send(100, RURAL, line=R), refused("wrong-section")),
    (send(100, RURAL, line=P[:2]), refused("unknown-line")),
    (send(100, RURAL, line=("expenditure", "15", "217", "007")), refused("unknown-line")),
    (send(100, RURAL, to_line=("revenue", "44")), refused("unknown-code")),
    (send(251, RURAL), refused("limit-exceeded", (
        "payments-plan", f"{RAYON} line {' / '.join(P)}", DAY, 251, 250))),
    (send(901, RURAL, by="akimat"), refused("actor-not-authorized")),
])  # fmt: skip
def test_moving_money(ask, then):
    running().when(DAY, ask, then)


def test_both_sides_move_together_and_know_each_other():
    book = running()
    decision = book.when(DAY, send(100, RURAL, purpose="roads"), SENT)
    sent, received = decision.events
    assert (sent.originator_id, received.originator_id) == (RAYON, RURAL)
    assert (sent.peer, sent.peer_position) == (RURAL, received.originator_version)
    assert (received.peer, received.peer_position) == (RAYON, sent.originator_version)
    assert sent.command_id == received.command_id
    assert sent.asked is not None
    assert received.asked is None
    assert received.purpose == "roads"
    assert (book.cash(DAY), book.cash(DAY, budget=RURAL)) == (800, 100)
    assert book.figure(P, "executed", DAY) == 100
    assert book.figure(R_TRANSFER, "executed", DAY, budget=RURAL) == 100


def test_a_refused_transfer_leaves_nothing_on_either_side():
    book = running()
    before = {code: state.position for code, state in book.states.items()}
    book.when(DAY, send(5000, RURAL), refused(
        "limit-exceeded", ("cash", f"{RAYON} budget", DAY, 5000, 900),
        ("payments-plan", f"{RAYON} line {' / '.join(P)}", DAY, 5000, 250),
        ("appropriation", f"{RAYON} line {' / '.join(P)}", DAY, 5000, 1000)))  # fmt: skip
    after = {code: state.position for code, state in book.states.items()}
    assert after == {**before, RAYON: before[RAYON] + 1}
    assert book.cash(DAY, budget=RURAL) == 0


def test_before_the_code_of_2025_levels_need_not_be_adjacent():
    """K25 76 is of 15 March 2025."""
    book = Book()
    for code, level in (("KZ-2024-a", 3), ("KZ-2024-b", 1)):
        book.when("2024-01-01", open_budget(level, 2024, budget=code))
    lines = approve({R: 100, P: 100}, budget="KZ-2024-a", effective_from="2024-01-01")
    book.when("2024-01-01", lines)
    ask = send(100, "KZ-2024-b", budget="KZ-2024-a")
    book.when("2024-06-01", ask, refused(
        "limit-exceeded", ("cash", "KZ-2024-a budget", "2024-06-01", 100, 0),
        ("payments-plan", f"KZ-2024-a line {' / '.join(P)}", "2024-06-01", 100, 0)))  # fmt: skip


@pytest.mark.parametrize(("ask", "then"), [
    (set_transfer(100, RURAL), accepted("budget.transfer.set")),
    (set_transfer(90, RURAL, "receives"), OK),
    (set_transfer(0, RURAL), OK),
    (set_transfer(100, "KZ-2025-nowhere"), OK),
    (set_transfer(100, RAYON), refused("same-budget")),
    (set_transfer(100, RURAL, by="akimat"), refused("actor-not-authorized")),
])  # fmt: skip
def test_what_an_act_says_of_a_transfer(ask, then):
    book = running()
    book.when(DAY, ask, then)
    assert book.cash(DAY) == 900


def test_an_opened_budget_states_its_transfers_but_sends_none():
    book = running()
    book.when(DAY, set_transfer(100, OBLAST, "receives", budget=RURAL))
    book.when(DAY, send(100, OBLAST, budget=RURAL), refused("wrong-stage"))
