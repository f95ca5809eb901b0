"""Every projection has decided about every event kind; no kind is both."""

import pytest

import ledger.instruments  # noqa: F401 - fills the registry
from ledger.events import EVENTS
from projections.registry import NAMES, projection


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
