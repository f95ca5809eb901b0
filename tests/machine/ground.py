"""Where examples are played: one server, one event loop in a thread, a founded database to copy.

The machine is synchronous and stands on the main thread, which alone may start the server again;
whatever is asynchronous runs on the loop.
"""

import asyncio
import itertools
import threading
from collections.abc import Awaitable
from copy import deepcopy
from pathlib import Path
from typing import Any, Self

import asyncpg

from api.app import create_app
from api.settings import Settings
from ledger import timelines
from ledger.dates import from_iso, to_iso
from ledger.service import Ledger
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrate import migrate
from ledger.store.pool import Database
from projections.versions import prepare
from tests.faults.stored import Stored, sequenced, stored
from tests.instruments.deck import LAW, Deck
from tests.oracle.oracle import Oracle
from tests.store.world import allow_schemas, ask, jurisdiction

BUDGETS = {"KZ-2025-oblast-1": 2, "KZ-2025-rayon-1": 3, "KZ-2025-rural-1": 4,
           "KZ-2025-republic": 1}  # fmt: skip
REGIONS = {"KZ-2025-republic": 0}
"""All others lie in region 1."""
GAPS = (0, 0, 1, 3, 12)
"""Days that may pass from one command to the next."""
ANSWER_SECONDS = 120
TEMPLATE = "machine_template"


class Clock:
    """The ledger's clock: nine o'clock of the deck's day and a microsecond at each look.

    `shift` is by how many microseconds somebody set it wrong.
    """

    def __init__(self) -> None:
        self.now = self.shift = 0

    def show(self, day: Any) -> None:
        """Go on to a day."""
        self.now = max(self.now, from_iso(f"{day}T09:00:00+05:00"))

    def __call__(self) -> int:
        self.now += 1
        return self.now + self.shift


class Ground:
    """A running server and the founded ledger that every example starts with a copy of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = EmbeddedPostgres(folder / "home")
        self.loop = asyncio.new_event_loop()
        self.oracle = Oracle(LAW)
        self.deck = Deck(self.oracle, BUDGETS, GAPS)
        self.clock = Clock()
        self.earlier = Stored([])
        self._thread = threading.Thread(target=self.loop.run_forever, name="machine", daemon=True)
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self._recent = timelines.RECENT_MAX, timelines.RECENT
        timelines.RECENT_MAX, timelines.RECENT = 2, 1  # most cells have older days soon
        self.server.start()
        self.web = create_app(Settings(DATABASE_URL=self.server.dsn()))
        self._thread.start()
        try:
            self.run(self._found())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
        self.server.stop()
        timelines.RECENT_MAX, timelines.RECENT = self._recent

    def run(self, work: Awaitable[Any], seconds: float = ANSWER_SECONDS) -> Any:
        """Do asynchronous work on the loop, return its result."""
        return self.begin(work).result(seconds)

    def begin(self, work: Awaitable[Any]) -> Any:
        """Begin asynchronous work on the loop; its result can be waited for."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def begun(self) -> tuple[Oracle, Deck]:
        """Return an oracle and a deck that know what the founded ledger holds."""
        oracle, deck = deepcopy((self.oracle, self.deck))
        return oracle, deck

    async def copy(self) -> str:
        """Make a database that holds the founded ledger; return its address."""
        name = f"machine_{next(self._numbers)}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        await allow_schemas(self.server, name)
        return self.server.dsn(name)

    async def execute(self, statement: str) -> None:
        """Execute a statement as superuser."""
        connection = await asyncpg.connect(self.server.dsn("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _found(self) -> None:
        """Adopt the jurisdiction, found the budgets, make the projections."""
        await self.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
        dsn = self.server.dsn(TEMPLATE)
        await migrate(dsn)
        adopt = ask("AdoptJurisdiction", "rulebook", jurisdiction=jurisdiction(),
                    effective_from="2024-01-01", day="2024-01-01")  # fmt: skip
        async with Ledger(dsn, clock=self.clock) as ledger:
            for document in itertools.chain([adopt], self.deck.founding(REGIONS)):
                self.clock.show("2024-01-01" if document is adopt else self.deck.day)
                [answer] = await ledger.submit([ledger.read(document)])
                assert answer.status == "accepted", answer
                said, _ = self.oracle.post(document, to_iso(answer.recorded_at))
                self.deck.learn(document, said)
            await sequenced(dsn)
        self.earlier = await stored(dsn)
        connection = await Database(dsn).listen("projector")
        try:
            await prepare(connection)
        finally:
            await connection.close()
