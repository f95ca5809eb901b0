"""The loader's fixtures, for the bugs that were found in it."""

from tests.load.conftest import data, mapping, read

__all__ = ["data", "mapping", "read"]
