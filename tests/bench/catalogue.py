"""Every bench by its id, in the order they run; and those that have no bench yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.bench import appending, following, reading, serving, starting
from tests.bench.ground import Ground
from tests.bench.table import Row

Bench = Callable[[Ground], Awaitable[list[Row]]]
BENCHES: dict[str, Bench] = {
    "T1": appending.t1,
    "T1v": appending.t1_variants,
    "T2": appending.t2,
    "T3": appending.t3,
    "T5": appending.t5,
    "T7": serving.t7,
    "T9": reading.t9,
    "T11": following.t11,
    "T13": following.t13,
    "T15": appending.t15,
    "T16": starting.t16,
    "replay": reading.replaying,
    "load": starting.loading,
}
LATER: dict[str, str] = {
    "T6": "÷ the stock PostgresApplicationRecorder: needs psycopg, a dependency of benches only",
    "T8": "3 writer processes on the same budgets ÷ 1",
    "T12": "Merkle leaves/s ÷ append rate: the notary does not exist yet",
    "T14": "crash cycles with a lost acknowledged event: shares the fault tests' journal",
}
"""A bench that is added moves from here to `BENCHES`."""
