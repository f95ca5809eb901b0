"""Founded ledgers for the fault tests: a database a test, and a home for a real service."""

import shutil
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ledger.service import Ledger
from ledger.store.pool import Database
from projections.runner import Runner
from projections.versions import prepare
from tests.faults.journal import InProcess
from tests.faults.nothing_lost import nothing_lost
from tests.faults.nursing import Nursery
from tests.faults.serving import Served, found_home
from tests.faults.stored import stored
from tests.faults.traffic import small_contracts
from tests.store.conftest import clock, create, migrated_template  # noqa: F401 - fixtures
from tests.store.world import Clock, accepted, allow_schemas, found


@pytest.fixture(scope="session")
async def founded_template(server, migrated_template):  # noqa: F811 - a fixture
    """A database with five funded budgets, a small contract in each, and the projections."""
    name = await create(server, migrated_template)
    async with Ledger(server.dsn(name), clock=Clock()) as ledger:
        await found(ledger)
        await accepted(ledger, *small_contracts())
    await allow_schemas(server, name)
    connection = await Database(server.dsn(name)).listen("projector")
    try:
        await prepare(connection)
    finally:
        await connection.close()
    return name


@pytest.fixture
async def dsn(server, founded_template):
    name = await create(server, founded_template)
    await allow_schemas(server, name)
    return server.dsn(name)


class Judged:
    """A ledger with its projections, a client of it, and the law at its end."""

    def __init__(self, dsn, ledger, runner, earlier) -> None:
        self.dsn, self.ledger, self.runner, self.earlier = dsn, ledger, runner, earlier
        self.client = InProcess(ledger)

    async def judge(self, fired, *others):
        """The law of nothing lost over the client's journal and those of `others`."""
        entries = [one for journal in (self.client.journal, *others) for one in journal]
        return await nothing_lost(self.dsn, entries, retry=InProcess(self.ledger).ask,
                                  fired=fired, earlier=self.earlier)  # fmt: skip


@asynccontextmanager
async def judged(dsn, clock, through=None):  # noqa: F811 - a fixture's name
    """Open a ledger over a founded database, `through` another address if one is given."""
    earlier = await stored(dsn)
    async with Ledger(through or dsn, clock=clock) as ledger:
        runner = Runner(ledger.database, ledger.sequencer)
        await runner.start()
        try:
            yield Judged(dsn, ledger, runner, earlier)
        finally:
            await runner.stop()


@pytest.fixture
def open_judged(dsn, clock):  # noqa: F811 - a fixture
    """How a test opens its ledger."""
    usual = clock
    return lambda through=None, clock=None: judged(dsn, clock or usual, through)


@pytest.fixture(scope="session")
def founded_home(tmp_path_factory):
    """The home of a service that founded the budgets over HTTP and was stopped."""
    home = tmp_path_factory.mktemp("founded") / "home"
    found_home(home)
    yield home
    shutil.rmtree(home)


@pytest.fixture
async def served(founded_home, tmp_path):
    """A real service on a copy of the founded home."""
    home = Path(tmp_path / "home")
    shutil.copytree(founded_home, home)
    service = Served(home)
    await service.begin()
    yield service
    await service.close(signal.SIGTERM)
    shutil.rmtree(home)


@pytest.fixture(scope="session")
async def forking(tmp_path_factory):
    """A process that forks services quickly."""
    nursery = Nursery(tmp_path_factory.mktemp("nursery"))
    await nursery.begin()
    yield nursery
    await nursery.close()


@pytest.fixture
async def nursery(dsn, forking):
    """Services on a founded database, that die at named points."""
    await forking.use(dsn)
    yield forking
    await forking.rest()
