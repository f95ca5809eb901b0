"""Loading: tabular budgets and transactions become commands by a declared mapping.

The way of a row: `mapping` (what the file means) → `rows` (text with its place) → one module a
document shape (`documents`, `transfers`, `payments`, `statement`) → `commands` (ids and common
fields) → `run` (submits and reports). A new country is a mapping file and a jurisdiction file,
not code.
"""

from api.load.door import Door
from api.load.mapping import Mapping, MappingInvalid, default_files, read_mapping
from api.load.outcome import LoadRefused, LoadReport
from api.load.run import load

__all__ = ["Door", "LoadRefused", "LoadReport", "Mapping", "MappingInvalid", "default_files",
           "load", "read_mapping"]  # fmt: skip
