"""Mappings are checked strictly: an unknown key is an error that names its place."""

import tomllib
from pathlib import Path

import pytest

from api.load import MappingInvalid, read_mapping

ROOT = Path(__file__).parents[2]
MAPPINGS = sorted(
    path
    for path in (ROOT / "deploy" / "mappings").glob("*.toml")
    if "name" in tomllib.loads(path.read_text(encoding="utf-8"))
)


def _changed(tmp_path: Path, old: str, new: str) -> Path:
    text = (ROOT / "deploy" / "mappings" / "gb-cabinet-office.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "gb.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_each_mapping_names_a_jurisdiction_that_ships(path: Path) -> None:
    mapping = read_mapping(path)
    assert (ROOT / "deploy" / "jurisdictions" / f"{mapping.jurisdiction}.toml").is_file()


@pytest.mark.parametrize(("old", "new", "problem"), [
    ("value_date =", "valeu_date =", "Extra inputs are not permitted"),
    ('amount = "{Amount}"', "", "documents.0.payments.amount: Field required"),
    ('shape = "payments"', 'shape = "payment"', "does not match any of the expected tags"),
    ("file = '(2020", "file = '((2020", "not a regular expression"),
    ('"windows-1252"', '"windows-1252-x"', "unknown encoding windows-1252-x"),
    ('jurisdiction = "gb"', 'jurisdiction = "gb', "at line"),
    ("level = 1", 'level = "1"', "budgets.0.level"),
])  # fmt: skip
def test_a_wrong_mapping_names_the_place(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(MappingInvalid, match=r"^gb\.toml: ") as found:
        read_mapping(_changed(tmp_path, old, new))
    assert problem in str(found.value)


def test_a_missing_mapping_is_named(tmp_path: Path) -> None:
    with pytest.raises(MappingInvalid, match="No such file"):
        read_mapping(tmp_path / "none.toml")
