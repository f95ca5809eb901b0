"""One embedded PostgreSQL for the session, which every folder's tests make their databases on."""

import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from ledger.store.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    home = tmp_path_factory.mktemp("server") / "home"
    with EmbeddedPostgres(home) as running:
        yield running
        os.kill(running.pid, signal.SIGQUIT)  # a checkpoint of all databases would take seconds
    shutil.rmtree(home)  # with all databases: dropping each would wait for a checkpoint each
