"""The field types that commands and events are made of, with their shapes and units.

Plain frozen dataclasses; pydantic reads the annotations to check input (strict, unknown fields
are errors) and to write JSON Schemas. On the wire an amount is a decimal string under the name
without `_minor`; stored it is an integer of minor units under the full name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
)

from ledger.money import MAX_MINOR, to_minor
from ledger.personal import COMMITMENT, names_person

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UUID = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
STRICT = ConfigDict(extra="forbid", frozen=True)


def clean(text: str) -> str:
    """Refuse control characters and lone surrogates; write the rest in NFC (RFC 8785 input)."""
    if text.isascii() and text.isprintable():
        return text
    if _FORBIDDEN.search(text):
        msg = "text holds a control character or a lone surrogate"
        raise ValueError(msg)
    return unicodedata.normalize("NFC", text)


def _impersonal(text: str) -> str:
    """Refuse a text with a person's number: it would stay in the log for ever."""
    if names_person(text):
        msg = "a person's number (IIN) belongs into the command's annex, not here"
        raise ValueError(msg)
    return text


def _amount(value: Any, info: ValidationInfo) -> Any:
    """Read a wire amount (string) in the ledger's currency; pass a stored integer through."""
    if info.context is None:
        return value
    if not isinstance(value, str):
        msg = 'an amount is a decimal string such as "430.00"'
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError only
    return to_minor(value, info.context["digits"])


def _day(value: Any) -> Any:
    """Read a day as "YYYY-MM-DD" and nothing else (no timestamps, no numbers)."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or len(value) != len("2025-01-01"):
        msg = 'a date is a string such as "2025-01-31"'
        raise ValueError(msg)
    found = date.fromisoformat(value)
    if found.isoformat() != value:  # a week date such as 2025-W01-1
        msg = 'a date is a string such as "2025-01-31"'
        raise ValueError(msg)
    return found


def as_id(value: Any) -> Any:
    """Read a UUID in its canonical text form."""
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        msg = "an id is a UUID in its canonical form"
        raise ValueError(msg)
    return UUID(value)


def _shape(sign: str = "") -> WithJsonSchema:
    """Describe an amount on the wire: a decimal string of at most two decimals."""
    pattern = rf"^{sign}(0|[1-9][0-9]{{0,13}})(\.[0-9]{{1,2}})?$"
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": ["430.00"]})


Text = Annotated[str, Field(strict=True, min_length=1, max_length=500), AfterValidator(clean)]
LongText = Annotated[
    str, Field(strict=True, min_length=1, max_length=4000),
    AfterValidator(clean), AfterValidator(_impersonal),
]  # fmt: skip
Name = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=120, pattern=r"^\S(.*\S)?$"),
    AfterValidator(clean),
]
Handle = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=120, pattern=r"^[A-Za-z0-9:@._/-]+$"),
    AfterValidator(_impersonal),
]
"""An id of somebody in a register elsewhere, never a person's name or number."""
Party = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=120,
          pattern=r"^[A-Za-z0-9:@._/-]*[0-9][A-Za-z0-9:@._/-]*$"),
    AfterValidator(_impersonal),
]  # fmt: skip
"""The other side of a payment, receipt or account: an organisation's number (БСН / БИН) or a
reference with a digit in it, so that no name passes for one. A person's name and number go into
the command's `annex`."""
BudgetCode = Annotated[
    str, Field(strict=True, max_length=80, pattern=r"^([A-Z]{2}-[0-9]{4}-[a-z0-9-]+|rulebook)$")
]
Month = Annotated[str, Field(strict=True, pattern=r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])$")]
Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date)]
Id = Annotated[UUID, BeforeValidator(as_id, json_schema_input_type=UUID)]
Positive = Annotated[
    int, BeforeValidator(_amount), Field(strict=True, ge=1, le=MAX_MINOR), _shape()
]
"""An amount above zero; the event kind gives the direction."""
NonNegative = Annotated[
    int, BeforeValidator(_amount), Field(strict=True, ge=0, le=MAX_MINOR), _shape()
]
"""An amount of zero or more."""
Signed = Annotated[
    int, BeforeValidator(_amount), Field(strict=True, ge=-MAX_MINOR, le=MAX_MINOR), _shape("-?")
]
"""A change or a balance, of either sign."""
Amount = Annotated[Positive, Field(alias="amount")]
"""The field `amount_minor` of a command: positive, `amount` on the wire."""
AmountOrZero = Annotated[NonNegative, Field(alias="amount")]
"""The field `amount_minor` where an act may set zero."""
AnyAmount = Annotated[Signed, Field(alias="amount")]
"""The field `amount_minor` where a contra line may be negative."""
Change = Annotated[Signed, Field(alias="change")]
"""The field `change_minor`, `change` on the wire."""
Balance = Annotated[Signed | None, Field(alias="balance")]
"""The field `balance_minor`: deficit (-) or surplus (+), `balance` on the wire."""
Flag = Annotated[bool, Field(strict=True)]
RegionNumber = Annotated[int, Field(strict=True, ge=0, le=9999)]
LevelNumber = Annotated[int, Field(strict=True, ge=1, le=9)]
YearNumber = Annotated[int, Field(strict=True, ge=1990, le=2200)]
Segment = Annotated[str, Field(strict=True, min_length=1, max_length=200), AfterValidator(clean)]
Path = Annotated[tuple[Segment, ...], Field(min_length=1, max_length=9)]
"""A line: section first, then the codes in the classification's order."""


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts: an id (never a personal name) and the capacity acted in (requirement A4)."""

    __pydantic_config__ = STRICT
    id: Handle
    capacity: Name


Seal = Callable[[str, str], tuple[bytes, str]]
"""Commits to a personal field's value: (field, value) -> (new random salt, commitment in hex)."""


def _personal(text: str, info: ValidationInfo) -> str:
    """Read a value from the wire, but only a commitment from a body."""
    if info.context is None:
        if not COMMITMENT.fullmatch(text):
            msg = "a body holds the commitment to a personal value, never the value"
            raise ValueError(msg)
        return text
    return clean(text)


Personal = Annotated[
    str, Field(strict=True, min_length=1, max_length=500), AfterValidator(_personal)
]


@dataclass(frozen=True, kw_only=True)
class Annex:
    """THE personal fields: values in a command as sent, SHA-256 commitments in an event's body.

    Value and salt are kept in an erasable table outside the log (docs/decisions/0011); nothing
    that is not listed here may hold personal data. A payee or payer here is a natural person.
    """

    __pydantic_config__ = STRICT
    payee_name: Personal | None = None
    payee_number: Personal | None = None
    payee_account: Personal | None = None
    payer_name: Personal | None = None
    payer_number: Personal | None = None
    official_name: Personal | None = None

    def given(self) -> dict[str, str]:
        """Return the fields that are not empty."""
        return {name: value for name, value in vars(self).items() if name in PERSONAL and value}

    @property
    def opened(self) -> Mapping[str, tuple[bytes, str]]:
        """Salt and value by field, on a command that was just read; no field, so no body has it."""
        found: Mapping[str, tuple[bytes, str]] = vars(self).get("_opened", {})
        return found


PERSONAL = frozenset(field.name for field in fields(Annex))


def _sealed(annex: Annex | None, info: ValidationInfo) -> Annex | None:
    """Put commitments into the place of values that came over the wire."""
    if annex is None or info.context is None:
        return annex
    seal: Seal | None = info.context.get("seal")
    if seal is None:
        msg = "only a ledger takes an annex"
        raise ValueError(msg)
    opened, commitments = {}, {}
    for name, value in annex.given().items():
        salt, commitments[name] = seal(name, value)
        opened[name] = salt, value
    sealed = Annex(**commitments)
    object.__setattr__(sealed, "_opened", opened)
    return sealed if opened else None


SealedAnnex = Annotated[Annex | None, AfterValidator(_sealed)]
"""The field `annex` of a command."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """The legal or payment document behind a command (requirement A5)."""

    __pydantic_config__ = STRICT
    id: Text
    date: Day
    article: Text | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """Declares imported history: the source's name, its own date, place and inferred fields.

    Date rules then look at `recorded_on`; `recorded_at` stays the ledger's clock.
    """

    __pydantic_config__ = STRICT
    name: Text
    recorded_on: Day
    place: Text | None = None
    inferred: tuple[Name, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LineAmount:
    """One line of a document with its amount."""

    __pydantic_config__ = STRICT
    line: Path
    amount_minor: AnyAmount
    contra: Flag = False
    title: Text | None = None


@dataclass(frozen=True, kw_only=True)
class Total:
    """A control total that the document prints for a prefix of the path (I2), with its name."""

    __pydantic_config__ = STRICT
    line: Path
    amount_minor: AnyAmount
    title: Text | None = None


@dataclass(frozen=True, kw_only=True)
class MonthAmount:
    """An amount of one calendar month of a plan."""

    __pydantic_config__ = STRICT
    month: Month
    amount_minor: AnyAmount


@dataclass(frozen=True, kw_only=True)
class LinePlan:
    """Changes of one line's monthly plans that come with another document."""

    __pydantic_config__ = STRICT
    line: Path
    commitments: tuple[MonthAmount, ...] = ()
    payments: tuple[MonthAmount, ...] = ()
    receipts: tuple[MonthAmount, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LineChange:
    """A signed change of one line; `contra` where it opens a contra line."""

    __pydantic_config__ = STRICT
    line: Path
    change_minor: Change
    contra: Flag = False
