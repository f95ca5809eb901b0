"""What an auditor remembers: the last checkpoint in the state file, all else in a file beside it.

The state file is the signed note verbatim, as the verifier keeps it. `FILE.memory` is SQLite: the
edge of the tree, where each log ends, its sums, and with `--rules` its cells. Both move on together
or not at all, and only after everything was found right.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Self

from ledger.proofs.keeping import write_whole
from ledger.proofs.merkle import CompactRange
from ledger.proofs.verify import Checkpoint, Trust

HERE = Path(__file__).parent
TREE = ""
"""The log's name under which the tree itself is remembered."""


@cache
def sql(name: str) -> str:
    """Return a statement of this folder."""
    return (HERE / f"{name}.sql").read_text(encoding="utf-8")


class Memory:
    """The state file and the file beside it, open for one audit."""

    def __init__(self, state: Path) -> None:
        """Open or begin the memory."""
        self.state = state
        self.file = sqlite3.connect(state.with_name(f"{state.name}.memory"), isolation_level=None)
        self.file.execute(sql("memory"))
        self.file.execute("BEGIN EXCLUSIVE")

    def __enter__(self) -> Self:
        """Open on entry."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what is stored as it was, unless `keep` was called."""
        self.file.close()

    def seen(self, trust: Trust) -> Checkpoint | None:
        """Return the last checkpoint that was found right, verified again. Raises ProofError.

        After a crash between the two files the one beside may be ahead: it was found right too.
        """
        notes = [self.state.read_bytes()] if self.state.exists() else []
        kept = self.recall(TREE, "note")
        notes += [kept.encode()] if kept else []
        found = [trust.open(note) for note in notes]
        return max(found, key=lambda head: head.size, default=None)

    def edge(self) -> CompactRange:
        """Return the roots of the complete subtrees of what was walked."""
        kept = self.recall(TREE, "edge") or {"size": 0, "hashes": []}
        return CompactRange(kept["size"], map(bytes.fromhex, kept["hashes"]))

    def recall(self, log: str, key: str) -> Any:
        """Return a remembered value, or None."""
        row = self.file.execute(sql("recall"), (log, key)).fetchone()
        return json.loads(row[0]) if row else None

    def recall_all(self, log: str, beginning: str) -> list[tuple[str, Any]]:
        """Return a log's values whose key begins so."""
        rows = self.file.execute(sql("recall_like"), (log, beginning, beginning))
        return [(key, json.loads(value)) for key, value in rows]

    def put(self, log: str, values: Iterable[tuple[str, Any]]) -> None:
        """Remember values of a log, if the audit ends well."""
        self.file.executemany(
            sql("keep"),
            [(log, key, json.dumps(value, ensure_ascii=False, separators=(",", ":")))
             for key, value in values],
        )  # fmt: skip

    def ends(self) -> dict[str, tuple[int, str]]:
        """Return where each log ended: its position and chain hash (hex)."""
        rows = [(log, json.loads(value)) for log, value in self.file.execute(sql("ends"))]
        return {log: (end["position"], end["chain"]) for log, end in rows}

    def forget(self) -> None:
        """Begin again from the first event; the checkpoint stays remembered."""
        self.file.execute(sql("forget"))

    def keep(self, head: Checkpoint, edge: CompactRange) -> None:
        """Make everything that was put the memory, with the head it belongs to."""
        hashes = [one.hex() for one in edge.hashes]
        self.put(TREE, [("note", head.raw.decode()), ("edge", {"size": edge.size,
                                                               "hashes": hashes})])  # fmt: skip
        self.file.execute("COMMIT")
        write_whole(self.state, head.raw)
