"""The state machine: rules that ask, rules that break something, rules that question.

Each rule ends with `settle`: everything asked is answered, stored, and judged by the oracle. Each
example ends with the law of nothing lost. What happened is counted in a `Tally`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.instruments.deck import CARDS, KINDS
from tests.machine import faults
from tests.machine.country import Country
from tests.machine.ground import Ground
from tests.machine.questions import Question, balances

SEEDS = st.integers(0, 2**32 - 1)
CARD = st.tuples(st.sampled_from(CARDS), SEEDS)
SOME = st.lists(CARD, min_size=1, max_size=4)
MANY = st.lists(CARD, min_size=2, max_size=8)
WAIT = st.integers(0, 8)
"""Milliseconds, or hundredths of a second, before something happens."""
QUESTION = st.tuples(*[st.integers(0, 99_999)] * 6)
FAULTS = ("cut to the server", "cut to the client", "ended qazyna writer",
          "ended qazyna projector", "ended qazyna reader", "ended qazyna %",
          "ledger started again", "head held", "clock set back", "clock set ahead", "rival",
          "projection rebuilt", "server killed", "server stopped at once")  # fmt: skip
HOW = ("one by one", "batch", "at once", "atomic")
AGAIN = ("repeats", "atomic repeats", "nowhere")
RULES = ("AdoptJurisdiction", "PublishClassifier", "SetExemptList")
ASKED = (*HOW, *AGAIN, "reused", "rulebook", "queries", "over http", "at a moment")


@dataclass
class Tally:
    """What happened in all examples."""

    examples: int = 0
    steps: int = 0
    events: int = 0
    lost: int = 0
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def missing(self) -> list[str]:
        """What must happen in every run and has not yet: faults, ways of asking, commands."""
        commands = {name for name, _ in self.verdicts}
        return ([name for name in FAULTS if not self.fired[name]]
                + [name for name in ASKED if not self.asked[name]]
                + [name for name in KINDS if name not in commands])  # fmt: skip

    def document(self) -> dict[str, Any]:
        """The counts as JSON types."""
        said = Counter(verdict for _, verdict in self.verdicts.elements())
        return {"examples": self.examples, "steps": self.steps, "events": self.events,
                "decided": dict(said), "outcomes": dict(self.outcomes), "asked": dict(self.asked),
                "faults": dict(self.fired), "lost": self.lost}  # fmt: skip

    def __str__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self.document().items())


class Machine(RuleBasedStateMachine):
    """A country under commands, faults and questions."""

    def __init__(self, ground: Ground, tally: Tally) -> None:
        super().__init__()
        self.ground, self.tally = ground, tally
        self.crashes = 0
        self.sound = False

    @initialize()
    def begin(self) -> None:
        """Open a copy of the founded ledger."""
        self.country = Country(self.ground)
        self.ground.run(self.country.open())
        self.sound = True

    def do(self, *works: Any) -> None:
        """Do one step: some work, then everything is judged; after a failure nothing more is."""
        self.sound = False
        self.tally.steps += 1
        for work in works:
            self.ground.run(work)
        self.ground.run(self.country.settle())
        self.sound = True

    @rule(cards=SOME, how=st.sampled_from(HOW))
    def post(self, cards: Sequence[Any], how: str) -> None:
        """Ask commands."""
        self.tally.asked[how] += 1
        self.do(self.country.post(self.country.deal(cards), how))

    @rule(pick=SEEDS, cards=st.lists(CARD, max_size=2), how=st.sampled_from(AGAIN))
    def ask_again(self, pick: int, cards: Sequence[Any], how: str) -> None:
        """Repeat an earlier command among new ones, or ask of no budget; then reuse its id."""
        earlier = self.country.earlier(pick)
        if earlier is None:
            return
        documents = [*self.country.deal(cards), earlier]
        if how == "nowhere":
            documents[-1] = self.country.nowhere()
        self.tally.asked[how] += 1
        self.tally.asked["reused"] += 1
        self.do(
            self.country.post(documents, "atomic" if how == "atomic repeats" else "batch"),
            self.country.post([{**earlier, "reason": "another"}], "one by one"),
        )

    @rule(kind=st.sampled_from(RULES), seed=SEEDS)
    def change_the_rules(self, kind: str, seed: int) -> None:
        """Change a policy, the code lists or the law's exempt lists."""
        self.tally.asked["rulebook"] += 1
        self.do(self.country.post([self.country.deal_rule(kind, seed)], "one by one"))

    @rule(asked=st.lists(QUESTION, min_size=1, max_size=4))
    def question(self, asked: Sequence[Sequence[int]]) -> None:
        """Ask execution reports."""
        self.tally.asked["queries"] += len(asked)
        self.do(*(Question(self.country, one).ask() for one in asked))

    @rule(question=QUESTION, moment=st.none() | SEEDS)
    def question_otherwise(self, question: Sequence[int], moment: int | None) -> None:
        """Ask the service over HTTP, or what was known at a moment; compare the balances."""
        asked = Question(self.country, question)
        if moment is None:
            self.tally.asked["over http"] += 1
            self.do(asked.ask_over_http(self.ground.web), balances(self.country, question[0]))
        else:
            self.tally.asked["at a moment"] += 1
            self.do(asked.ask_for_a_moment(moment), balances(self.country, question[0]))

    @rule(cards=SOME, side=st.integers(0, 1), number=st.integers(1, 12))
    def cut(self, cards: Sequence[Any], side: int, number: int) -> None:
        """Cut the appender's connection at a message."""
        documents = self.country.deal(cards)
        self.do(faults.cut_at_a_message(self.country, documents, side, number))

    @rule(cards=MANY, which=st.integers(0, 3), wait=WAIT)
    def end_sessions(self, cards: Sequence[Any], which: int, wait: int) -> None:
        """End sessions at the server."""
        self.do(faults.end_sessions(self.country, self.country.deal(cards), which, wait))

    @rule(cards=SOME, wait=WAIT)
    def start_again(self, cards: Sequence[Any], wait: int) -> None:
        """Start the ledger again."""
        self.do(faults.start_again(self.country, self.country.deal(cards), wait))

    @rule(cards=SOME, wait=WAIT)
    def hold_a_head(self, cards: Sequence[Any], wait: int) -> None:
        """Hold a head's lock."""
        self.do(faults.hold_a_head(self.country, self.country.deal(cards), wait))

    @rule(cards=SOME, days=st.sampled_from((-30, -1, 1, 3)))
    def set_the_clock(self, cards: Sequence[Any], days: int) -> None:
        """Set the clock wrong for a moment."""
        self.do(faults.set_the_clock(self.country, self.country.deal(cards), days))

    @rule(mine=MANY, theirs=MANY)
    def let_rivals_write(self, mine: Sequence[Any], theirs: Sequence[Any]) -> None:
        """Write with two ledgers at once."""
        documents = self.country.deal([*mine, *theirs])
        mine, theirs = documents[: len(mine)], documents[len(mine) :]
        self.do(faults.let_rivals_write(self.country, mine, theirs))

    @rule(cards=SOME, which=st.integers(0, 3))
    def rebuild(self, cards: Sequence[Any], which: int) -> None:
        """Rebuild a projection."""
        self.do(faults.rebuild_meanwhile(self.country, self.country.deal(cards), which))

    @precondition(lambda self: self.crashes == 0)
    @rule(cards=MANY, how=st.integers(0, 1), wait=WAIT)
    def crash(self, cards: Sequence[Any], how: int, wait: int) -> None:
        """Crash the server, at most once an example."""
        self.crashes += 1
        self.sound = False
        faults.crash_the_server(self.country, self.country.deal(cards), how, wait)
        self.do()

    def teardown(self) -> None:
        """Judge the example by the law of nothing lost, if nothing failed before; clean up."""
        if not hasattr(self, "country"):
            return
        try:
            if self.sound:
                verdict = self.ground.run(self.country.law())
                self.tally.examples += 1
                self.tally.events += verdict.events
                self.tally.lost += verdict.lost
                self.tally.outcomes.update(verdict.outcomes)
                self.tally.fired.update(self.country.fired)
                self.tally.verdicts.update(self.country.verdicts)
        finally:
            self.ground.run(self.country.close())
