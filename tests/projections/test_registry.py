"""Every projection has decided about every event kind; no kind is both."""

import re

import pytest

import ledger.instruments  # noqa: F401 - fills the registry
from ledger.events import EVENTS
from ledger.store.sql import sql as stored
from projections.budget_execution.fold import TITLED
from projections.registry import NAMES, projection, sql


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_is_handled_or_deliberately_ignored(name: str) -> None:
    found = projection(name)
    assert found.handled | found.ignored == set(EVENTS)
    assert not found.handled & found.ignored


@pytest.mark.parametrize("name", NAMES)
def test_what_sql_folds_alone_is_handled(name: str) -> None:
    found = projection(name)
    assert found.folded <= found.handled
    assert found.plain <= found.known


def test_the_index_of_documents_and_its_queries_name_what_the_fold_calls_titled() -> None:
    index = re.search(r"CREATE INDEX events_documents[^;]*;", stored("schema"))
    assert index
    queries = [sql("budget_execution", name) for name in ("documents", "all_documents")]
    for text in (index[0], *queries):
        named = re.search(r"kind IN \(([^)]*)\)", text)
        assert named
        assert set(re.findall(r"'([^']+)'", named[1])) == TITLED
