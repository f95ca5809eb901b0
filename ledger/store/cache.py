"""What the appender remembers between batches: heads, cells, rules and the newest answers' ids.

Everything here may be out of date: the append compares heads and rulebook before it writes.
After a failed attempt only what the attempt touched is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ledger.cells import BudgetState, Key
from ledger.decision import Decision
from ledger.events import RULEBOOK, Command, log_id
from ledger.rules import Rules
from ledger.store.read import (
    Head,
    find_heads,
    fold_rule,
    load_key,
    load_keys,
    load_rules,
    load_states,
    load_states_locked,
    lock_heads,
    new_state,
    rulebook_head,
)

CACHED_CELLS = 150_000
"""Most cells kept in memory, about 1 kB each."""


class Cache:
    """Heads, cells and rules as this process knows them, moved on by what it stages."""

    def __init__(self) -> None:
        """Start empty."""
        self.rules = Rules()
        self.states: dict[str, BudgetState] = {}
        self.heads: dict[str, Head] = {}
        self.made_years: set[int] = set()
        self._rules_before = self.rules
        self._touched: set[str] = set()
        self._payments: list[tuple[BudgetState, Key]] = []

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
            self.states.update(await load_states_locked(connection, stale))

    async def load_contracts(self, connection: Any, commands: Iterable[Command]) -> None:
        """Load at once the contracts that commands name and that are not remembered."""
        wanted: dict[int, dict[tuple[int, Key], BudgetState]] = {}
        for asked in commands:
            contract, state = getattr(asked, "contract", None), self.states.get(asked.budget)
            if contract is not None and state is not None:
                key = ("contract", contract)
                if key not in state.cells:
                    wanted.setdefault(state.region, {})[state.log, key] = state
        for region, states in wanted.items():
            await load_keys(connection, region, states)

    async def load_missing(self, connection: Any, state: BudgetState, key: Key) -> None:
        """Load one contract or payment that a decision asks for."""
        await load_key(connection, state, key)
        if key[0] == "payment":
            self._payments.append((state, key))

    def touch(self, asked: Command) -> dict[str, BudgetState] | None:
        """Return the cells that a command is decided against, None where a budget is not open.

        A budget that the command itself opens starts empty.
        """
        states = {}
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
                self.states[code] = state
            states[code] = state
            self._touched.add(code)
        own = ("payment", str(asked.command_id))  # a new id has no payment: nothing to load
        if own not in states[asked.budget].cells:
            states[asked.budget].cells[own] = None
            self._payments.append((states[asked.budget], own))
        return states

    def take(self, decision: Decision) -> None:
        """Take a staged change of the rulebook and payments into account."""
        for overlay in decision.overlays.values():
            for key in overlay.changed:
                if key[0] == "payment":
                    self._payments.append((overlay.base, key))
        if decision.command.budget == RULEBOOK:
            for fact in decision.events:
                self.rules = fold_rule(self.rules, fact)

    def begin(self) -> None:
        """Remember where an attempt started."""
        self._rules_before = self.rules
        self._touched.clear()

    def rewind(self) -> None:
        """Forget what an attempt changed that was not written or may not have been."""
        for code in self._touched:
            self.states.pop(code, None)
        self._touched.clear()
        self._payments.clear()
        self.rules = self._rules_before

    def forget(self) -> None:
        """Forget everything: something is not as remembered."""
        self.states.clear()
        self.heads.clear()
        self.made_years.clear()
        self._touched.clear()
        self._payments.clear()
        self.rules = self._rules_before = Rules()

    def trim(self) -> None:
        """Keep memory bounded: forget payments at once, cells when there are too many."""
        for state, key in self._payments:
            state.cells.pop(key, None)
        self._payments.clear()
        if sum(len(state.cells) for state in self.states.values()) > CACHED_CELLS:
            self.states.clear()


def codes_of(commands: Sequence[Command]) -> set[str]:
    """Return the codes of all budgets that commands concern."""
    return {code for asked in commands for code in asked.budgets()}
