"""What answers look like, for the OpenAPI document: nothing here is used to answer."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.problems import CODES, MEDIA, REFUSED

AMOUNT = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"
Amount = Annotated[str, Field(pattern=AMOUNT)]
"""A decimal string in the ledger's currency."""


class Document(BaseModel):
    """A JSON object of exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class Verdict(Document):
    """An accepted command: its place in the budget's log."""

    command_id: UUID
    budget: str
    status: str = Field(pattern="^accepted$")
    position: int = Field(ge=1, description="of its first event, gapless from 1")
    events: int = Field(ge=1)
    recorded_at: datetime
    replayed: bool
    flags: list[str] = Field(description="controls that warned")
    receipt: str | None = Field(default=None, description="signed, where one was asked for; null"
                                " where it cannot be made now")  # fmt: skip


class ErrorPlace(Document):
    """One place of the input that cannot be read."""

    place: str
    reason: str


class BrokenLimitDocument(Document):
    """One limit that the command would break, on the first day it would."""

    limit: str
    subject: str
    day: date
    asked: Amount
    available: Amount


class ProblemDocument(BaseModel):
    """RFC 9457 problem with a stable code; other members depend on the code."""

    type: str = Field(pattern="^urn:qazyna:problem:[a-z0-9-]+$")
    title: str
    status: int
    detail: str
    code: str = Field(pattern="^[a-z0-9-]+$")
    errors: list[ErrorPlace] = Field(default=[])


class RefusalDocument(ProblemDocument):
    """A refused command: the rule, the law and the figures; stored like an accepted one."""

    rule: str
    law: str
    figures: dict[str, str]
    limits: list[BrokenLimitDocument]
    command_id: UUID
    budget: str
    position: int | None
    recorded_at: datetime | None
    replayed: bool
    receipt: str | None = Field(default=None, description="signed, where one was asked for; null"
                                " where it cannot be made now")  # fmt: skip


def problem_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI answers of some statuses, each naming its codes."""
    return {status: _answer(status) for status in sorted(statuses)}


def _answer(status: int) -> dict[str, Any]:
    """Return the OpenAPI answer of one status."""
    codes = [f"`{code}`: {title}" for code, (known, title) in CODES.items() if known == status]
    name, text = "ProblemDocument", "; ".join(codes)
    if status == REFUSED:
        name, text = "RefusalDocument", "Refused; the code is the broken rule's"
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": text, "content": {MEDIA: {"schema": schema}}}


class Health(Document):
    """The process answers."""

    status: str = Field(pattern="^alive$")


class Readiness(Document):
    """Postings and reports work."""

    status: str = Field(pattern="^ready$")
    sequence: int = Field(ge=0, description="last sequence that reports show")
    lag: int = Field(ge=0, description="sequenced events that reports lack")
    waiting: int = Field(ge=0, description="commands that wait to be decided")
    signed: int = Field(ge=0, description="events under the newest signed checkpoint")
    witnessed: bool | None = Field(
        description="whether a quorum cosigned that checkpoint; null where no witness is asked"
    )
    not_signing: str | None = Field(description="why the notary refuses to sign")


class Budget(Document):
    """A log and what its budget is."""

    budget: str
    position: int = Field(ge=0)
    hash: str = Field(pattern="^[0-9a-f]{64}$", description="of the last event in the chain")
    year: int | None
    region: int | None
    level: int | None
    title: str | None
    parent: str | None
    stage: str | None
    legislated_on: date | None = Field(description="adoption of the last act of the legislature")


class BudgetPage(Document):
    """Budgets in the order of their codes."""

    items: list[Budget]
    next: str | None = Field(description="the `after` of the next page; null on the last")


class EventDocument(Document):
    """One event as it is stored."""

    sequence: int = Field(ge=1)
    budget: str
    position: int = Field(ge=1)
    kind: str
    command_id: UUID
    recorded_at: datetime
    hash: str = Field(pattern="^[0-9a-f]{64}$")
    body: str = Field(description="the stored JSON text, byte for byte")


class EventPage(Document):
    """Events in the order of their sequence."""

    items: list[EventDocument]
    next: int = Field(ge=0, description="the `after` of the next question")


class Rulebook(Document):
    """The rules as of a position of the rulebook's log."""

    position: int
    jurisdiction: dict[str, Any] | None
    classifiers: list[dict[str, Any]]
    exemptions: list[dict[str, Any]]


class KindDocument(Document):
    """An event kind."""

    kind: str
    version: int
    description: str
    schema_: dict[str, Any] = Field(alias="schema")
    example: dict[str, Any]


class KindPage(Document):
    """All event kinds."""

    items: list[KindDocument]


def not_modified() -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI answer to a client that has the bytes already."""
    return {304: {"description": "The answer is the one that If-None-Match names"}}


class ExecutionRowDocument(Document):
    """Figures of one line or group; plans are to date, `_year` counts every month."""

    line: list[str]
    title: str | None
    approved: Amount
    amended: Amount
    adjusted: Amount
    plan_receipts: Amount
    plan_receipts_year: Amount
    plan_commitments: Amount
    plan_commitments_year: Amount
    plan_payments: Amount
    plan_payments_year: Amount
    accepted: Amount
    unpaid: Amount
    executed: Amount
    percent_of_plan: str | None
    percent_of_budget: str | None


class BalanceDocument(Document):
    """One part of I - II - III - IV = V, and VI."""

    part: str
    approved: Amount
    amended: Amount
    adjusted: Amount
    executed: Amount


class ExecutionDocument(Document):
    """The execution report, true for `sequence`."""

    budget: str
    currency: str
    effective: date
    adopted: date | None
    known: int | None
    sequence: int
    warnings: int = Field(ge=0, description="flagged events in the answer")
    rows: list[ExecutionRowDocument]
    totals: list[ExecutionRowDocument]
    identity: list[BalanceDocument]


class LineDocument(Document):
    """A line with its number in the log."""

    number: int
    line: list[str]
    title: str | None


class LinePage(Document):
    """Lines in the order of their first use."""

    budget: str
    items: list[LineDocument]
    next: int | None


class WarningDocument(Document):
    """A flagged event."""

    sequence: int
    position: int
    kind: str
    line: list[str] | None
    contract: str | None
    effective_from: date
    adopted_on: date
    flags: list[str]


class WarningPage(Document):
    """Flagged events by sequence."""

    budget: str
    sequence: int
    items: list[WarningDocument]
    next: int | None


class SaidDocument(Document):
    """What one act in force says of a transfer, or of one purpose of it."""

    amount: Amount
    purpose: str | None
    act: str | None
    adopted_on: date
    effective_from: date
    sequence: int


class SideDocument(Document):
    """What one side's acts say in sum."""

    amount: Amount
    said: list[SaidDocument]


class PairDocument(Document):
    """One kind of transfer between two budgets; `difference` = receiver's figure - payer's."""

    transfer: str
    payer: str
    receiver: str
    payer_says: SideDocument | None
    receiver_says: SideDocument | None
    difference: Amount | None
    sent: Amount
    received: Amount


class PairingDocument(Document):
    """The pairing report, true for `sequence`."""

    budget: str
    sequence: int
    known: int | None
    adopted: date | None
    pairs: list[PairDocument]


class MovementDocument(Document):
    """A movement of a special account and the balance after it."""

    sequence: int
    position: int
    kind: str
    value_date: date
    recorded_at: datetime
    amount: Amount
    balance: Amount
    command_id: UUID


class StatementDocument(Document):
    """The statement of a special account, true for `sequence`."""

    budget: str
    account: str
    purpose: str
    owner: str
    status: str = Field(pattern="^(open|closed)$")
    sequence: int
    balance: Amount
    movements: list[MovementDocument]


class ExemptLineDocument(Document):
    """A spending line, and the entry that protects it if it is exempt."""

    line: list[str]
    title: str | None
    exempt: bool
    amended: Amount
    entry: str | None


class ExemptDocument(Document):
    """Exempt and cuttable amounts; `headroom` is what the executive may still cut alone."""

    budget: str
    effective: date
    sequence: int
    exempt: Amount
    cuttable: Amount
    sequestered: Amount
    headroom: Amount | None
    unresolved: list[str]
    lines: list[ExemptLineDocument]


class ChangeDocument(Document):
    """A figure before and after an event."""

    subject: str = Field(description="line, contract, account or cash")
    measure: str
    before: Amount
    after: Amount


class AuditDocument(Document):
    """An event of the trail."""

    sequence: int
    budget: str
    position: int
    kind: str
    recorded_at: datetime
    actor: str | None
    capacity: str | None
    act: str | None
    act_article: str | None
    act_date: date | None
    reason: str | None
    source: str | None
    line: list[str] | None
    contract: str | None
    account: str | None
    effective_from: date
    adopted_on: date
    month: str | None
    changes: list[ChangeDocument]
    refused: str | None = Field(description="code of the refusal")
    flags: list[str]
    command_id: UUID


class AuditPage(Document):
    """Events of the trail by sequence, true for `sequence`."""

    sequence: int
    items: list[AuditDocument]
    next: int | None


Hash = Annotated[str, Field(pattern="^[A-Za-z0-9+/]{43}=$")]
"""A SHA-256 hash in Base64."""


class CheckpointDocument(Document):
    """A signed head of the tree over all events."""

    size: int = Field(ge=1)
    root: Hash
    witnessed: bool = Field(description="whether the quorum of witnesses cosigned it")
    published_at: datetime
    note: str = Field(description="the signed note, byte for byte")


class CheckpointPage(Document):
    """Checkpoints by tree size."""

    items: list[CheckpointDocument]
    next: int | None


class InclusionDocument(Document):
    """An event in the tree of `size`: its leaf and the siblings up to the root (RFC 9162)."""

    sequence: int = Field(ge=1)
    index: int = Field(ge=0)
    size: int = Field(ge=1)
    root: Hash
    leaf: str = Field(description="the public envelope that is hashed, byte for byte")
    hashes: list[Hash]
    checkpoint: str | None = Field(description="the signed note of this size, if there is one")


class ConsistencyDocument(Document):
    """The tree of `old` leaves is the beginning of that of `new` (RFC 9162)."""

    old: int = Field(ge=0)
    new: int = Field(ge=1)
    old_root: Hash
    new_root: Hash
    hashes: list[Hash]


class AbsenceDocument(Document):
    """The event's index is not below `before`, whose tree is the beginning of the newest."""

    before: int = Field(ge=1)
    inclusion: InclusionDocument
    consistency: ConsistencyDocument
