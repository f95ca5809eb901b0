"""Deciding every command again, as `qazyna replay` does, from what an outsider is shown.

The same walker and the same `decide`; cells that an earlier audit arrived at are read back when
they are first needed, so that an audit costs what has grown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from api.auditing.memory import TREE, Memory
from ledger.cells import NAMED, Cell, Key, Overlay
from ledger.events import RULEBOOK, decode, log_id
from ledger.proofs.leaf import Leaf
from ledger.proofs.verify import ProofError
from ledger.rules import Rules
from ledger.store.checks import WholeState
from ledger.store.read import fold_rule, read_cell
from ledger.store.replay import ReplayReport, Walker
from ledger.store.rows import key_text

WHOLE, ONE = "cell", "named"
"""How remembered keys begin: cells that are read at once, and those read when first named."""


class KeptState(WholeState):
    """A budget's cells: what the memory holds of them is read, what changes is told."""

    __slots__ = ("changed", "memory")

    def __init__(self, memory: Memory, code: str, region: int) -> None:
        """Read where the budget stands and its cells, but for contracts and payments."""
        super().__init__(code, region, log_id(code))
        self.memory = memory
        self.changed: set[Key] = set()
        kept = memory.recall(code, "state")
        if kept is not None:
            self.position, self.head = kept["position"], bytes.fromhex(kept["head"])
            self.region = kept["region"]
            for key, value in memory.recall_all(code, f"{WHOLE}:"):
                cell = _read(key, value)
                self.cells[cell.key] = cell

    def absent(self, key: Key) -> Cell | None:
        """Return a contract or payment from the memory; None where there is none."""
        name = _name(key)
        value = self.memory.recall(self.code, name)
        self.cells[key] = _read(name, value) if value else None
        return self.cells[key]

    def take(self, overlay: Overlay) -> None:
        """Take the cells of a decision and note which."""
        super().take(overlay)
        self.changed.update(overlay.changed)
        if overlay.paid is not None:
            self.changed.add(("payment", overlay.paid.id))

    def keep(self) -> None:
        """Put what changed."""
        cells = ((key, self.get(key)) for key in self.changed)
        self.memory.put(self.code, [
            ("state", {"position": self.position, "head": self.head.hex(),
                       "region": self.region}),
            *((_name(key), [cell.number, cell.whole().encode().decode()])
              for key, cell in cells if cell is not None),
        ])  # fmt: skip


def _name(key: Key) -> str:
    """Return the memory's name of a cell."""
    return f"{ONE if key[0] in NAMED else WHOLE}:{key[0]}:{key_text(key)}"


def _read(name: str, value: list[Any]) -> Cell:
    """Read a remembered cell."""
    _, kind, key = name.split(":", 2)
    return read_cell({"kind": kind, "key": key, "number": value[0], "content": value[1]}, code="")


class Decider(Walker):
    """The walker of `replay` over what was fetched; its first finding ends the audit."""

    def __init__(self, memory: Memory) -> None:
        """Go on from what is remembered."""
        super().__init__(ReplayReport())
        self.memory = memory
        self.fresh: list[tuple[str, str]] = []
        self._recall()

    def _recall(self) -> None:
        """Read the rules, and the commands that the last checkpoint cut in two."""
        self.report.events = int(self.memory.recall(TREE, "decided") or 0)
        for position, (_, body) in enumerate(self.memory.recall_all(RULEBOOK, "rule:"), 1):
            fact = decode(body.encode(), RULEBOOK, position)
            self.rules.append(fold_rule(self.rules[-1], fact))
        for code, position, body in self.memory.recall(TREE, "expected") or ():
            self.expected[code, position] = body.encode()
        for code, position, chain, body in self.memory.recall(TREE, "waiting") or ():
            queue = self.waiting.setdefault(code, deque())
            queue.append((position, bytes.fromhex(chain), body.encode()))
            self._state(code, 0)

    def restart(self) -> None:
        """Begin with the first event."""
        self.report, self.rules = ReplayReport(), [Rules()]
        self.states.clear()
        self.expected.clear()
        self.waiting.clear()

    def decide_next(self, sequence: int, leaf: Leaf, body: bytes, said: Mapping[str, Any]) -> None:
        """Take the next event; `said` is its body read. Raises ProofError for a finding."""
        region = said["command"]["region"] if leaf.kind == "budget.opened" else 0
        peer = said.get("peer")
        if peer is not None and self.memory.recall(peer, "state"):
            self._state(peer, 0)
        self.take({"code": leaf.log, "position": leaf.position, "hash": leaf.chain, "body": body,
                   "sequence": sequence, "region": region})  # fmt: skip
        if leaf.log == RULEBOOK:
            self.fresh.append((f"rule:{leaf.position:09d}", body.decode()))
        for found in self.report.findings:
            raise ProofError(found.code, f"{found.budget}:{found.position} {found.message}")

    def _state(self, code: str, region: int) -> WholeState:
        """Return a budget's state, from the memory at first sight."""
        found = self.states.get(code)
        if found is None:
            found = self.states[code] = KeptState(self.memory, code, region)
        return found

    def keep(self) -> None:
        """Put cells, rules and half-seen commands; a checkpoint may stand inside a command."""
        for state in self.states.values():
            if isinstance(state, KeptState):
                state.keep()
        self.memory.put(RULEBOOK, self.fresh)
        expected = [[code, at, body.decode()] for (code, at), body in self.expected.items()]
        waiting = [
            [code, at, chain.hex(), body.decode()]
            for code, queue in self.waiting.items()
            for at, chain, body in queue
        ]
        self.memory.put(TREE, [("decided", self.report.events), ("expected", expected),
                               ("waiting", waiting)])  # fmt: skip
