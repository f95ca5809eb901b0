"""SQL of the store: only in `.sql` files, read by name."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def sql(name: str) -> str:
    """Return the text of a file below this folder, for example `queries/load_states`."""
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


@cache
def folder(name: str) -> tuple[str, ...]:
    """Return the names of the files of one folder, sorted, without their ending."""
    found = files(__package__).joinpath(name).iterdir()
    return tuple(sorted(item.name.removesuffix(".sql") for item in found
                        if item.name.endswith(".sql")))  # fmt: skip
