"""The error tree of the ledger: what a caller can do next decides where an error stands.

    LedgerError                 every error of the ledger; `code` is stable and public
    ├── Invalid                 cannot be read as a command or a question; mend it and send again
    │   └── NotFound            names a budget, line, contract or account that does not exist
    ├── RetryLater              nothing was written; send the same command again
    │   ├── Overloaded          the queue is full; `retry_after` seconds
    │   └── Unavailable         the database does not answer
    ├── OutcomeUnknown          the connection broke while committing and the look-up failed too:
    │                           ask again with the same command id, it is decided exactly once
    └── Broken                  the stored history or the installation is not what it must be
        ├── UnknownKind         a stored event kind that this release does not know
        └── Corrupt             chain, cell or copy differs from what the events say

A business refusal is not an error: it is an answer and a stored fact (`Refusal`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class LedgerError(Exception):
    """Base of all errors; `code` is the stable public name, `details` are its figures."""

    code = "ledger-error"

    def __init__(self, message: str, **details: Any) -> None:
        """Keep a sentence for people and the figures for programs."""
        super().__init__(message)
        self.message = message
        self.details = details


class Invalid(LedgerError):
    """The input cannot be read; `details["errors"]` lists each place and reason."""

    code = "invalid-command"


class NotFound(Invalid):
    """The input names something that does not exist."""

    code = "not-found"

    def __init__(self, code: str, message: str, **details: Any) -> None:
        """Take the code of what is missing, for example `unknown-budget`."""
        super().__init__(message, **details)
        self.code = code


class RetryLater(LedgerError):
    """Nothing was written; the same command may be sent again after `retry_after` seconds."""

    code = "retry-later"
    retry_after = 1


class Overloaded(RetryLater):
    """The queue of commands is full."""

    code = "overloaded"


class Unavailable(RetryLater):
    """The database cannot be reached or gave the same conflict too often."""

    code = "unavailable"


class OutcomeUnknown(LedgerError):
    """Whether the command was stored is not known yet; the same command id will tell."""

    code = "outcome-unknown"


class Broken(LedgerError):
    """The installation or the stored history is not what it must be."""

    code = "broken"


class UnknownKind(Broken):
    """A stored event has a kind or version that this release does not know."""

    code = "unknown-event-kind"


class Corrupt(Broken):
    """Stored bytes contradict each other; `details` name the place."""

    code = "corrupt"


@dataclass(frozen=True, kw_only=True)
class BrokenLimit:
    """One limit that a command would break: the first day it breaks and the figures that day.

    `available_minor` is the room before the command, `asked_minor` what the command takes.
    """

    limit: str
    subject: str
    day: str
    asked_minor: int
    available_minor: int


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a command was refused: stable `code`, the rule, the law behind it and the figures."""

    code: str
    message: str
    rule: str
    law: str = ""
    figures: tuple[tuple[str, str], ...] = ()
    limits: tuple[BrokenLimit, ...] = ()


class Refuse(Exception):
    """Raised inside a decision to refuse the command; never leaves `ledger.decision`."""

    def __init__(
        self, code: str, message: str, *, rule: str, law: str = "", **figures: Any
    ) -> None:
        """Build the refusal; `figures` are shown to the client as given."""
        super().__init__(message)
        self.refusal = Refusal(
            code=code,
            message=message,
            rule=rule,
            law=law,
            figures=tuple((name, str(value)) for name, value in sorted(figures.items())),
        )
