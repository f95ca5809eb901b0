"""A return above its payment was refused with other figures when it was decided again.

What was left of the payment was looked for among the budget's stored cells only; a payment that
nothing had come back of has no cell there, neither in a replay nor in the batch that made it.
Found by the state machine (`QAZYNA_SEED=100`).
"""

from tests.instruments.asks import RUNNING, P, give_back, pay
from tests.instruments.harness import given, refused

PAID = "00000000-0000-0000-0000-0000000000aa"


def test_what_was_paid_is_available_whether_the_payment_has_a_cell_or_not() -> None:
    subject = f"payment {PAID}"
    remaining = refused("limit-exceeded", ("payment-remaining", subject, "2025-02-18", 37.5, 20))
    book = given(*RUNNING, ("2025-02-18", pay(P, 20, command_id=PAID)))
    book.when("2025-02-18", give_back("ReturnPayment", PAID, 37.5), remaining)


def test_what_came_back_is_available_no_more() -> None:
    subject = f"payment {PAID}"
    remaining = refused("limit-exceeded", ("payment-remaining", subject, "2025-02-18", 16, 15))
    book = given(*RUNNING, ("2025-02-18", pay(P, 20, command_id=PAID)),
                 ("2025-02-18", give_back("ReturnPayment", PAID, 5)))  # fmt: skip
    book.when("2025-02-18", give_back("ReturnPayment", PAID, 16), remaining)
