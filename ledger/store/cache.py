"""What the appender remembers between batches: heads, cells, rules and the newest answers' ids.

Everything here may be out of date: the append compares heads and rulebook before it writes.
After a failed attempt only what the attempt touched is forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.cells import BUDGET, BudgetState, Key
from ledger.decision import Decision
from ledger.events import RULEBOOK, Command, log_id
from ledger.rules import Rules
from ledger.store.read import (
    Head,
    find_heads,
    fold_rule,
    load_key,
    load_keys,
    load_lines,
    load_past,
    load_rules,
    load_states,
    lock_heads,
    new_state,
    rulebook_head,
)
from ledger.timelines import PAST

CACHED_CELLS = 60_000
"""Most cells kept in memory, about 1 kB each (more only while attempts under way need them)."""
NAMED_MAX = 64
"""A command that names more lines and lines above them is given all lines of its budget."""
TRIM_EVERY = 16
"""Attempts between two counts of the cells."""


@dataclass
class Mark:
    """What one attempt touched that is not written yet."""

    budgets: set[str] = field(default_factory=set)
    payments: list[tuple[BudgetState, Key]] = field(default_factory=list)
    pasts: list[tuple[BudgetState, Key]] = field(default_factory=list)


class Cache:
    """Heads, cells and rules as this process knows them, moved on by what it stages."""

    def __init__(self) -> None:
        """Start empty."""
        self.rules = Rules()
        self.states: dict[str, BudgetState] = {}
        self.heads: dict[str, Head] = {}
        self.made_years: set[int] = set()
        self._rules_before = self.rules
        self._marks: deque[Mark] = deque()
        self._settled = 0

    async def know(self, connection: Any, codes: Iterable[str]) -> None:
        """Remember the region and year of budgets that exist."""
        unknown = [code for code in codes if code not in self.heads]
        if unknown:
            self.heads.update(await find_heads(connection, unknown))

    async def load(self, connection: Any, codes: Iterable[str]) -> None:
        """Load the cells of budgets that are not remembered."""
        wanted = [self.heads[code] for code in codes
                  if code in self.heads and code not in self.states]  # fmt: skip
        if wanted:
            self.states.update(await load_states(connection, wanted))

    async def load_rules(self, connection: Any) -> None:
        """Take the rulebook as it is committed."""
        self.rules = self._rules_before = await load_rules(connection, self.rules)

    async def lock(self, connection: Any, codes: Iterable[str]) -> None:
        """Lock the heads first, then take rules and cells as they are committed."""
        wanted = [self.heads[code] for code in codes if code in self.heads]
        heads = await lock_heads(connection, [(head.region, head.log) for head in wanted])
        await self.load_rules(connection)
        stale = [head for head in heads if head.code not in self.states
                 or self.states[head.code].head != head.hash]  # fmt: skip
        if stale:
            self.states.update(await load_states(connection, stale))

    async def load_contracts(self, connection: Any, commands: Iterable[Command]) -> None:
        """Load at once the lines and contracts that commands name and that are not remembered."""
        wanted: dict[tuple[int, Key], BudgetState] = {}
        whole: dict[str, BudgetState] = {}
        for asked in commands:
            if self._has_all(asked):
                continue
            keys = list(_named(asked))
            for code in {code for code, _ in keys}:
                if len(keys) > NAMED_MAX and code in self.states and not self.states[code].whole:
                    whole[code] = self.states[code]
            for code, key in keys:
                state = self.states.get(code)
                if state is None or key in state.cells or code in whole:
                    continue
                if key[0] == "contract" or not state.whole:
                    wanted[state.log, key] = state
        if wanted:
            await load_keys(connection, wanted)
        if whole:
            await load_lines(connection, whole.values())

    def _has_all(self, asked: Command) -> bool:
        """Tell quickly that what a command names is here: its lines were looked at before."""
        state = self.states.get(asked.budget)
        if state is None or getattr(asked, "to", None) is not None:
            return False
        contract = getattr(asked, "contract", None)
        if contract is not None and ("contract", contract) not in state.cells:
            return False
        return state.whole or all(line in state.paths for line in asked.named_lines())

    async def load_missing(
        self, connection: Any, state: BudgetState, key: Key | None, asked: Command
    ) -> None:
        """Load what a decision asks for: a line, contract or payment, a past, (None) all lines."""
        if key is None:
            await load_lines(connection, [state])
            return
        if key[0] == PAST:
            near = [found for code, found in _named(asked) if code == state.code]
            loaded = await load_past(connection, state, {key[1], BUDGET, *near})
            self._marks[-1].pasts += [(state, found) for found in loaded]
            return
        await load_key(connection, state, key)
        if key[0] == "payment":
            self._marks[-1].payments.append((state, key))

    def touch(self, asked: Command) -> dict[str, BudgetState] | None:
        """Return the cells that a command is decided against, None where a budget is not open.

        A budget that the command itself opens starts empty.
        """
        states, touched = {}, self._marks[-1].budgets
        for code in asked.budgets():
            state = self.states.get(code)
            if state is None or (state.position == 0 and code == asked.budget):
                region = getattr(asked, "region", None)
                if code == RULEBOOK:
                    state = new_state(rulebook_head())
                elif region is not None and code == asked.budget:
                    state = BudgetState(code, region, log_id(code))
                else:
                    return None
            else:
                del self.states[code]
            states[code] = self.states[code] = state  # the last used stand last
            touched.add(code)
        return states

    def take(self, decision: Decision) -> None:
        """Take a staged change of the rulebook, payments and pasts into account."""
        payments, pasts = self._marks[-1].payments, self._marks[-1].pasts
        for overlay in decision.overlays.values():
            if overlay.paid is not None:
                payments.append((overlay.base, ("payment", overlay.paid.id)))
            payments += [(overlay.base, key) for key in overlay.changed if key[0] == "payment"]
            pasts += [(overlay.base, key) for key, _ in overlay.aged]
        if decision.command.budget == RULEBOOK:
            for fact in decision.events:
                self.rules = fold_rule(self.rules, fact)

    def begin(self) -> None:
        """Remember where an attempt starts; those before it may be under way still."""
        if not self._marks:
            self._rules_before = self.rules
        self._marks.append(Mark())

    def rewind(self) -> None:
        """Forget what attempts changed that was not written or may not have been."""
        for mark in self._marks:
            for code in mark.budgets:
                self.states.pop(code, None)
        self._marks.clear()
        self.rules = self._rules_before

    def forget(self) -> None:
        """Forget everything: something is not as remembered."""
        self.states.clear()
        self.heads.clear()
        self.made_years.clear()
        self._marks.clear()
        self.rules = self._rules_before = Rules()

    def settle(self) -> None:
        """Take the oldest attempt as written; keep memory bounded.

        Payments and pasts are forgotten at once, but not those that an attempt under way has
        changed: what is stored of them is older. When there are too many cells, the budgets that
        were not used for the longest time go, but none that an attempt under way has touched.
        """
        self._rules_before = self.rules
        if self._marks:
            written = self._marks.popleft()
            waiting = {(state.code, key) for mark in self._marks for state, key in mark.payments}
            for state, key in written.payments:
                if (state.code, key) not in waiting:
                    state.cells.pop(key, None)
                    state.paid.pop(key[1], None)
            waiting = {(state.code, key) for mark in self._marks for state, key in mark.pasts}
            for state, key in written.pasts:
                cell = state.cells.get(key)
                if cell is not None and (state.code, key) not in waiting:
                    state.cells[key] = cell.unloaded(state.code)
        self._settled += 1
        if self._settled % TRIM_EVERY:
            return
        many = sum(len(state.cells) for state in self.states.values())
        if many <= CACHED_CELLS:
            return
        busy = {code for mark in self._marks for code in mark.budgets}
        for code in [code for code in self.states if code not in busy]:
            many -= len(self.states.pop(code).cells)
            if many <= CACHED_CELLS // 4 * 3:
                return


def _named(asked: Command) -> Iterator[tuple[str, Key]]:
    """Yield (budget, key) of the lines, with all lines above them, and contract of a command."""
    for line in asked.named_lines():
        for depth in range(1, len(line) + 1):
            yield asked.budget, ("line", line[:depth])
    contract = getattr(asked, "contract", None)
    if contract is not None:
        yield asked.budget, ("contract", contract)
    to, to_line = getattr(asked, "to", None), getattr(asked, "to_line", None)
    if to is not None and to_line is not None:
        for depth in range(1, len(to_line) + 1):
            yield to, ("line", to_line[:depth])


def codes_of(commands: Sequence[Command]) -> set[str]:
    """Return the codes of all budgets that commands concern."""
    return {code for asked in commands for code in asked.budgets()}
