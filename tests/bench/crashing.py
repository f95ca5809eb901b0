"""T14 (short): crash cycles after each of which everything stored is counted.

`make soak` goes on for as long as told; the cycles themselves are `tests/faults/crash_cycles.py`.
"""

from __future__ import annotations

from tests.bench.ground import Ground
from tests.bench.table import Row
from tests.faults.crash_cycles import crash_cycles

CYCLES_A_ROUND = 4


async def t14(ground: Ground) -> list[Row]:
    """Crash cycles with a lost acknowledged event, gap, chain break or half transfer; of `N`."""
    report = await crash_cycles(CYCLES_A_ROUND * ground.rounds)
    told = ", ".join(f"{name} {many}" for name, many in sorted(report.crashes.items()))
    return [
        Row(id="T14", quantity=f"harmed of {report.cycles} crash cycles ({told}); "
            f"{report.outcomes['acked']} acknowledged", unit="cycles", ours=report.harmed,
            absolute=True, less=True, must=0, aim=0)
    ]  # fmt: skip
