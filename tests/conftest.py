"""One embedded PostgreSQL for the session, for every folder that has none of its own."""

from collections.abc import Iterator

import pytest

from ledger.store.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "home") as started:
        yield started
