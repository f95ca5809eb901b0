"""`python -m tests.bench [ID …]`: measure, print one table, write it as JSON where asked."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import uvloop

from api.cli.serving import GARBAGE
from ledger.store.embedded import EmbeddedPostgres
from tests.bench.catalogue import BENCHES
from tests.bench.ground import Ground
from tests.bench.profiling import WAYS, profiled
from tests.bench.table import Row, lines, markdown

QUICK = {"budgets": 200, "events": 4000, "rounds": 2, "long": 100_000}


def _arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID", help=f"some of {', '.join(BENCHES)}")
    parser.add_argument("--quick", action="store_true", help="few budgets, events and rounds")
    parser.add_argument("--events", type=int, metavar="N", help="events a round, 10000 else")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--profile", metavar="ID", choices=list(WAYS),
                        help=f"only profile this way of appending: {', '.join(WAYS)}")  # fmt: skip
    found = parser.parse_args()
    for id_ in found.ids:
        if id_ not in BENCHES:
            parser.error(f"{id_}: no such bench")
    return found


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run on the loop and with the garbage collection that the service runs with."""
    gc.set_threshold(*GARBAGE)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _first(error: BaseException) -> str:
    """Say what went wrong first: many callers fail of one cause."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return repr(error)[:400]


async def _measure(ground: Ground, ids: list[str]) -> tuple[str, list[Row], dict[str, str]]:
    """Run the benches one after the other; one that fails does not stop the others."""
    machine, rows, failed = await ground.machine(), [], {}
    print(machine, flush=True)
    for id_ in ids:
        began = time.perf_counter()
        try:
            rows += await BENCHES[id_](ground)
        except Exception as error:  # noqa: BLE001 - told at the end, and by the exit code
            failed[id_] = _first(error)
        print(f"{id_}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return machine, rows, failed


def main() -> int:
    """Start the server, measure or profile, print."""
    asked = _arguments()
    home = Path(tempfile.mkdtemp(prefix="qazyna-bench-"))
    server = EmbeddedPostgres(home / "home")
    try:
        server.start()
        ground = Ground(server, **(QUICK if asked.quick else {}))
        ground.events = asked.events or ground.events
        if asked.profile:
            _run(profiled(ground, asked.profile))
            return 0
        machine, rows, failed = _run(_measure(ground, asked.ids or list(BENCHES)))
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
    print("\n".join(lines(rows)))
    command = f'make bench BENCH="{" ".join(sys.argv[1:])}"' if sys.argv[1:] else "make bench"
    print("\nFor docs/promises.md:\n", *markdown(rows, machine, command), sep="\n")
    for id_, why in failed.items():
        print(f"{id_} failed: {why}")
    if asked.json:
        document = {"machine": machine, "rows": [row.document() for row in rows], "failed": failed}
        asked.json.write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
