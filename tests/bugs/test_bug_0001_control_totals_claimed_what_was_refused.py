"""A refused approval's control totals said "in the ledger … =" though the ledger had nothing."""

import pytest

from api.load import load
from tests.load.conftest import ROOT
from tests.load.test_posting import Scripted

MAPPING = "kz-republic-2025"


@pytest.fixture
def republic(mapping):
    folder = ROOT / "deploy" / "data" / "kz-republican-budget-2025"
    return mapping(MAPPING), sorted(folder.glob("*.csv"))


async def test_an_accepted_document_is_claimed(republic) -> None:
    report = await load(*republic, Scripted())
    assert report.controls
    assert all(control.holds for control in report.controls)


@pytest.mark.parametrize(
    ("refused", "absent"),
    [("ApproveBudget", {"revenues", "expenditures"}), ("SetTransfer", {"subventions_total"})],
)
async def test_a_refused_document_is_not(republic, refused: str, absent: set[str]) -> None:
    report = await load(*republic, Scripted(refused))
    found = {control.name: control for control in report.controls}
    assert {found[name].found for name in absent} == {"not loaded"}
    assert not any(found[name].holds for name in absent)
    assert any(control.holds for control in report.controls)
