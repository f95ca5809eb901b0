"""The event base and the registry: THE ONE PLACE an event kind is declared through.

An event is an immutable fact in the past tense. Its body is canonical JSON (sorted keys, UTF-8,
integers and strings: RFC 8785 in effect), hashed and stored as it is. The first event of a
command holds the whole command. Classes follow the protocol of the `eventsourcing` library:
`originator_id` is the budget's code, `originator_version` its position, `class_version` and
`upcast_vN_vN+1` are THE way old events are read. Stored names never are Python paths; an unknown
name is a typed error and imports nothing.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import date
from functools import cache
from typing import Any, ClassVar, NamedTuple, TypeVar
from uuid import UUID

import orjson
from pydantic import TypeAdapter, ValidationError

from ledger.errors import Corrupt, Invalid, Refusal, UnknownKind
from ledger.terms import (
    STRICT,
    Act,
    Actor,
    BudgetCode,
    Day,
    Id,
    LongText,
    Name,
    Seal,
    SealedAnnex,
    Source,
    as_id,
)

RULEBOOK = "rulebook"
"""Code of the log that holds the ledger's own rules."""

MEASURES = (
    "approved", "amended", "adjusted", "plan_receipts", "plan_commitments", "plan_payments",
    "accepted", "executed", "cash",
)  # fmt: skip
"""What an event may change, each a typed column of the log in minor units: the three budget
figures, the three monthly plans, registered commitments, execution (payments or receipts) and
money on an account."""


NO_AMOUNTS: Mapping[str, int] = {}


class Movement(NamedTuple):
    """What one event changes: at most one line, contract, payment and account, and by how much.

    The typed columns of the log are this record; cells are its sums.
    """

    effective_from: date
    adopted_on: date
    line: tuple[str, ...] | None = None
    month: date | None = None
    contract: str | None = None
    payment: UUID | None = None
    account: str | None = None
    amounts: Mapping[str, int] = NO_AMOUNTS

    @property
    def counts_from(self) -> date:
        """Day from which the amounts count: a plan month counts from its first day."""
        return max(self.effective_from, self.month) if self.month else self.effective_from


@dataclass(frozen=True, kw_only=True)
class Command:
    """What a client asks of one budget, decided exactly once under its `command_id`."""

    __pydantic_config__ = STRICT
    name: ClassVar[str]
    action: ClassVar[str]
    reason_required: ClassVar[bool] = False
    erases: ClassVar[bool] = False
    """Whether it destroys personal values of another command (its annex)."""
    not_ahead: ClassVar[bool] = False
    """Whether the effective day may not lie ahead, as a value date may not."""

    command_id: Id
    budget: BudgetCode
    actor: Actor
    act: Act
    adopted_on: Day | None = None
    reason: LongText | None = None
    source: Source | None = None
    annex: SealedAnnex = field(default=None, compare=False)
    """Personal data; salts make each reading of a command differ, so equality leaves it out."""

    @property
    def adopted(self) -> date:
        """Day of adoption: as given, else the act's date."""
        return self.adopted_on or self.act.date

    @property
    def effective(self) -> date:
        """Day from which the command has legal effect (a money movement: its value date)."""
        return (
            getattr(self, "effective_from", None)
            or getattr(self, "value_date", None)
            or (self.adopted)
        )

    def budgets(self) -> tuple[str, ...]:
        """Codes of the logs that the command reads and may write; its own first."""
        return (self.budget,)

    def named_lines(self) -> Iterator[tuple[str, ...]]:
        """Every line that the command names, for the classification check."""
        line = getattr(self, "line", None)
        if line:
            yield line
        for name in ("lines", "plans"):
            for part in getattr(self, name, ()):
                yield part.line

    def decide(self, case: Any) -> Iterator[Event]:
        """Return the events that follow from the command, or raise `Refuse`. Pure."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Event:
    """An immutable fact of one budget."""

    __pydantic_config__ = STRICT
    kind: ClassVar[str]
    TOPIC: ClassVar[str]
    class_version: ClassVar[int] = 1
    example: ClassVar[Mapping[str, Any]]

    originator_id: str
    originator_version: int = 0
    command_id: Id
    recorded_at: int
    rules_at: int
    flags: tuple[Name, ...] = ()

    def movement(self) -> Movement:
        """Return what the event changes in the typed columns.

        Unless a kind says otherwise: no amounts, only the legal dates of its command.
        """
        asked = self.asked
        if asked is None:
            raise NotImplementedError
        return Movement(effective_from=asked.effective, adopted_on=asked.adopted)

    def facts(self) -> Iterator[tuple[tuple[str, Any], dict[str, Any]]]:
        """Yield (cell key, values) for facts that are not amounts: a status, a purpose."""
        return iter(())

    @property
    def asked(self) -> Command | None:
        """The command behind the event, on the first event of a command only."""
        return getattr(self, "command", None)


C = TypeVar("C", bound=type[Command])
E = TypeVar("E", bound=type[Event])
COMMANDS: dict[str, type[Command]] = {}
EVENTS: dict[str, type[Event]] = {}


def command(name: str, *, action: str, reason: bool = False) -> Callable[[C], C]:
    """Declare a command: its public name, the action that authority is asked for, and whether
    a reason is mandatory (I30).
    """

    def register(cls: C) -> C:
        if name in COMMANDS and COMMANDS[name].__qualname__ != cls.__qualname__:
            msg = f"command {name} is declared twice"
            raise TypeError(msg)
        cls.name, cls.action, cls.reason_required = name, action, reason
        COMMANDS[name] = cls
        return cls

    return register


def event(kind: str, *, example: Mapping[str, Any], version: int = 1) -> Callable[[E], E]:
    """Declare an event kind: its stored name, version and an example of its stored body."""

    def register(cls: E) -> E:
        if kind in EVENTS and EVENTS[kind].__qualname__ != cls.__qualname__:
            msg = f"event kind {kind} is declared twice"
            raise TypeError(msg)
        missing = [
            f"upcast_v{n}_v{n + 1}"
            for n in range(1, version)
            if not hasattr(cls, f"upcast_v{n}_v{n + 1}")
        ]
        if missing:
            msg = f"event kind {kind} cannot read its old versions: {missing}"
            raise TypeError(msg)
        cls.kind, cls.class_version, cls.example = kind, version, example
        cls.TOPIC = kind  # what the `eventsourcing` library takes instead of the Python path
        EVENTS[kind] = cls
        return cls

    return register


@event(
    "ledger.command.refused",
    example={
        "command": {
            "name": "ExecutePayment",
            "line": ["expenditure", "01"],
            "contract": "C1",
            "amount_minor": 43000,
            "value_date": "2025-07-01",
        },
        "refusal": {
            "code": "limit-exceeded",
            "message": "…",
            "rule": "I7",
            "limits": [
                {
                    "limit": "unused-registration",
                    "subject": "contract C1",
                    "day": "2025-07-01",
                    "asked_minor": 43000,
                    "available_minor": 42000,
                }
            ],
        },
    },
)
@dataclass(frozen=True, kw_only=True)
class CommandRefused(Event):
    """A command was refused; treasury monitoring uses rejected documents too (K25 114)."""

    command: dict[str, Any]
    refusal: Refusal

    @property
    def asked(self) -> Command:
        """The refused command, read again."""
        return read_command(
            {**self.command, "budget": self.originator_id, "command_id": self.command_id},
            stored=True,
        )


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def adapter(cls: type[Any]) -> TypeAdapter[Any]:
    """Return the checker of a declared class, built once."""
    found = _ADAPTERS.get(cls)
    if found is None:
        found = _ADAPTERS[cls] = TypeAdapter(cls)
    return found


@cache
def _fields(kind: Any) -> tuple[tuple[str, bool], ...]:
    """Return (name, has no default) of a declared class's fields. Raises TypeError for others."""
    return tuple((f.name, f.default is MISSING) for f in fields(kind))


_ATOMS = frozenset({str, int, bool, date, UUID})
"""What orjson writes by itself: days and ids as their text."""


def tree(value: Any) -> Any:
    """Turn a declared value into what orjson writes; absent (None, empty, False) fields go.

    A field without a default stays even when empty, so that a refused command can be read again.
    """
    kind: Any = type(value)
    if kind in _ATOMS or value is None:
        return value
    if kind is tuple or kind is list:
        return [item if type(item) in _ATOMS else tree(item) for item in value]
    if kind is dict:
        return {key: tree(item) for key, item in value.items()}
    if isinstance(value, (date, UUID)):
        return str(value)
    found, content = {}, vars(value)
    for name, required in _fields(kind):
        item = content[name]
        if type(item) in _ATOMS:
            if item is not False:
                found[name] = item
        elif item is not None and (item != () or required):
            found[name] = tree(item)
    return found


def plain(value: Any) -> Any:
    """Turn a declared value into JSON types, as `tree` does."""
    return orjson.loads(orjson.dumps(tree(value)))


def canonical(document: Any) -> bytes:
    """Write JSON types as canonical bytes: keys sorted, no spaces, UTF-8."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def command_tree(asked: Command) -> dict[str, Any]:
    """Return a command's stored form: its name and fields, without id and budget."""
    document: dict[str, Any] = tree(asked)
    del document["command_id"], document["budget"]
    document["name"] = asked.name
    return document


def command_document(asked: Command) -> dict[str, Any]:
    """Return a command's stored form as JSON types."""
    document: dict[str, Any] = plain(command_tree(asked))
    return document


def encode(fact: Event) -> bytes:
    """Return an event's body: the exact bytes that are hashed and stored."""
    state: dict[str, Any] = {"kind": fact.kind}
    for name, value in vars(fact).items():
        if type(value) in _ATOMS:
            if value is not False:
                state[name] = value
        elif value is not None and value != ():
            state[name] = command_tree(value) if isinstance(value, Command) else tree(value)
    del state["originator_id"], state["originator_version"]
    if fact.class_version > 1:
        state["class_version"] = fact.class_version
    return canonical(state)


def typed_state(body: bytes) -> tuple[type[Event], dict[str, Any]]:
    """Read a body as (class, JSON state at the newest version).

    Raises `UnknownKind`, and `Corrupt` for what is no body at all.
    """
    try:
        state: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        msg = f"a stored body is no JSON: {error}"
        raise Corrupt(msg) from error
    if not isinstance(state, dict):
        msg = "a stored body is no JSON object"
        raise Corrupt(msg)
    kind = state.pop("kind", None)
    cls = EVENTS.get(kind) if isinstance(kind, str) else None
    version = state.pop("class_version", 1)
    if cls is None or not isinstance(version, int) or not 1 <= version <= cls.class_version:
        msg = f"the stored event kind {kind!r} version {version!r} is not known to this release"
        raise UnknownKind(msg, kind=str(kind), version=str(version))
    for number in range(version, cls.class_version):
        getattr(cls, f"upcast_v{number}_v{number + 1}")(state)
    return cls, state


def decode(body: bytes, budget: str, position: int) -> Event:
    """Read a stored body as a typed event of the newest version. Raises as `typed_state`."""
    cls, state = typed_state(body)
    return typed(cls, state, budget, position)


def typed(cls: type[Event], state: dict[str, Any], budget: str, position: int) -> Event:
    """Turn a body's JSON state into the event. Raises `Corrupt` where it does not fit."""
    ident = state.get("command_id")
    with suppress(ValueError):
        state["command_id"] = ident = as_id(ident)
    if cls is not CommandRefused and "command" in state:
        asked = {**state["command"], "budget": budget, "command_id": ident}
        asked.pop("name", None)
        state["command"] = asked
    state["originator_id"], state["originator_version"] = budget, position
    try:
        found: Event = adapter(cls).validate_python(state, by_alias=False, by_name=True)
    except ValidationError as error:
        msg = f"a stored body is no {cls.kind}: {error}"
        raise Corrupt(msg) from error
    return found


def read_command(
    document: Mapping[str, Any], *, digits: int = 2, stored: bool = False, seal: Seal | None = None
) -> Command:
    """Read a command from JSON types: from the wire (amounts are decimal strings) or stored.

    `seal` commits to the values of an annex. Raises `Invalid` listing every place and reason.
    """
    content = dict(document)
    name = content.pop("name" if stored else "command", None)
    cls = COMMANDS.get(name) if isinstance(name, str) else None
    if cls is None:
        msg = f"unknown command {name!r}" if name else "the command has no name"
        raise Invalid(msg, errors=[{"place": "command", "reason": msg}])
    try:
        found: Command = adapter(cls).validate_python(
            content,
            by_alias=not stored,
            by_name=stored,
            context=None if stored else {"digits": digits, "seal": seal},
        )
    except ValidationError as error:
        places = [
            {"place": ".".join(str(step) for step in problem["loc"]), "reason": problem["msg"]}
            for problem in error.errors(include_url=False, include_input=False)
        ]
        msg = f"{name}: {len(places)} field(s) cannot be read"
        raise Invalid(msg, errors=places) from None
    return found


def link(previous: bytes, log: int, position: int, body: bytes) -> bytes:
    """Return the chain hash of one event (design §2)."""
    place = _PLACE(log, position, len(body))
    return hashlib.sha256(b"\x02" + previous + place + body).digest()


_PLACE = struct.Struct(">QQI").pack


@cache
def log_id(code: str) -> int:
    """Return a budget's log number: the first 63 bits of its code's SHA-256."""
    return int.from_bytes(hashlib.sha256(code.encode()).digest()[:8], "big") >> 1


def with_flags(fact: Event, flags: tuple[str, ...]) -> Event:
    """Return the event with warning flags."""
    return replace(fact, flags=flags) if flags else fact
