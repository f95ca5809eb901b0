"""One of several processes that post to the same budgets: `… -m tests.faults.writer DSN N COUNT`.

It prints its journal, a line of JSON an entry.
"""

import asyncio
import json
import random
import sys
from dataclasses import asdict

from ledger.service import Ledger
from tests.faults.journal import InProcess, load
from tests.faults.traffic import SEED, traffic
from tests.store.world import Clock


async def main(dsn: str, number: str, count: str) -> None:
    """Post and tell."""
    documents = traffic(random.Random(f"{SEED} writer {number}"), repeats=0.06,
                        shared=random.Random(f"{SEED} shared"))  # fmt: skip
    asked = [one for _, one in zip(range(int(count)), documents, strict=False)]
    async with Ledger(dsn, clock=Clock()) as ledger:
        client = InProcess(ledger)
        await load(client, asked, workers=16)
    for one in client.journal:
        sys.stdout.write(json.dumps(asdict(one)) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
