"""Golden bodies: the stored bytes of each event kind and version, one file each.

`python -m tests.golden.golden` writes the files that are missing. It never changes one: stored
events are for ever, so a changed body is a new version with an upcast.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import ledger.instruments  # noqa: F401 - fills the registry
from ledger.events import EVENTS, Event, canonical, decode, encode

FOLDER = Path(__file__).parent / "events"
BUDGET, POSITION = "KZ-2025-rayon-1", 7
COMMON = {"command_id": str(UUID(int=42)), "recorded_at": 1_735_689_600_000_000, "rules_at": 1}
ASKED = {"actor": {"id": "person-1", "capacity": "treasury"},
         "act": {"id": "12-34", "date": "2025-01-01", "article": "1"}}  # fmt: skip


def path_of(cls: type[Event]) -> Path:
    """Return where the golden body of a class's newest version stands."""
    return FOLDER / f"{cls.kind}.v{cls.class_version}.json"


def body_of(cls: type[Event]) -> bytes:
    """Return the canonical body made from the class's example and the common fields."""
    example: Mapping[str, Any] = cls.example
    state = {**COMMON, **example, "kind": cls.kind}
    if "command" in state:
        state["command"] = {**ASKED, **state["command"]}
    if cls.class_version > 1:
        state["class_version"] = cls.class_version
    return encode(decode(canonical(state), BUDGET, POSITION))


def stored(path: Path) -> bytes:
    """Return a golden body: the file without its last newline."""
    return path.read_bytes().removesuffix(b"\n")


def write_missing() -> list[Path]:
    """Write the files that are missing and return them."""
    missing = {path_of(cls): cls for cls in EVENTS.values() if not path_of(cls).exists()}
    FOLDER.mkdir(exist_ok=True)
    for path, cls in missing.items():
        path.write_bytes(body_of(cls) + b"\n")
    return sorted(missing)


if __name__ == "__main__":
    for written in write_missing():
        print(written.name)  # noqa: T201 - the command's output
