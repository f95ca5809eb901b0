"""A refusal named the first line in the way in the order of loading; a replay named another one.

Found by the state machine: an amendment that nests under two lines. Lines come in the order of
their first use, whatever the order in which a process happened to load them.
"""

from itertools import permutations

from ledger.cells import BudgetState, Cell


def test_lines_come_in_the_order_of_their_first_use():
    cells = [Cell(key=("line", (name,)), number=n) for n, name in enumerate("cab", start=1)]
    for order in permutations(cells):
        state = BudgetState("KZ-2025-x", 0, 1)
        state.cells.update({cell.key: cell for cell in order})
        assert [cell.number for cell in state.lines()] == [1, 2, 3]
        new = state.overlay()
        new._open(("d",))
        assert [cell.number for cell in new.lines()] == [1, 2, 3, 4]
