"""The project's mappings and the real tables they are declared for."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from api.load import LoadReport, Mapping, default_files, read_mapping
from api.load.run import Plan, prepare

ROOT = Path(__file__).parents[2]
Read = Callable[..., tuple[Plan, LoadReport]]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of source tables: QAZYNA_DATA or the one beside the project."""
    folder = Path(os.environ.get("QAZYNA_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.fail(f"the source tables are missing: {folder} is no folder; set QAZYNA_DATA")
    return folder


@pytest.fixture(scope="session")
def mapping() -> Callable[[str], Mapping]:
    return lambda name: read_mapping(ROOT / "deploy" / "mappings" / f"{name}.toml")


@pytest.fixture(scope="session")
def read(mapping: Callable[[str], Mapping]) -> Read:
    """Read files by one of the project's mappings; without files those it names itself."""

    def read_files(name: str, *files: Path) -> tuple[Plan, LoadReport]:
        declared = mapping(name)
        report = LoadReport(declared.name)
        given = files or default_files(declared, ROOT / "deploy" / "mappings" / f"{name}.toml")
        return prepare(declared, list(given), report), report

    return read_files
