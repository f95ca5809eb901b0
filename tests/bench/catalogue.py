"""Every bench by its id, in the order they run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.bench import (
    appending,
    auditing,
    crashing,
    floors,
    following,
    growing,
    holding,
    profiling,
    proving,
    reading,
    receipting,
    rivalry,
    serving,
    starting,
    writers,
)
from tests.bench.ground import Ground
from tests.bench.table import Row

Bench = Callable[[Ground], Awaitable[list[Row]]]
BENCHES: dict[str, Bench] = {
    "T1": appending.t1,
    "T1v": appending.t1_variants,
    "T2": appending.t2,
    "T3": appending.t3,
    "T5": appending.t5,
    "T6": rivalry.t6,
    "T7": serving.t7,
    "T8": writers.t8,
    "T9": reading.t9,
    "T11": following.t11,
    "T12": proving.t12,
    "T13": following.t13,
    "T14": crashing.t14,
    "T15": appending.t15,
    "T16": starting.t16,
    "T17": growing.t17,
    "T18": holding.t18,
    "replay": reading.replaying,
    "load": starting.loading,
    "floor": floors.floors,
    "entries": rivalry.entries,
    "receipts": receipting.receipts,
    "bundle": auditing.bundles,
    "audit": auditing.audits,
    "profile": profiling.profiled,
}
