"""One slice per budget instrument: its commands, events, decisions, refusals and law.

Importing this package fills the registry of `ledger.events`; instruments never import each other.
"""

from ledger.instruments import (
    adjustment,
    amendment,
    approval,
    commitments,
    exemptions,
    opening,
    payments,
    plans,
    privacy,
    receipts,
    rulebook,
    sequestration,
    special_accounts,
    transfers,
)

__all__ = [
    "adjustment", "amendment", "approval", "commitments", "exemptions", "opening", "payments",
    "plans", "privacy", "receipts", "rulebook", "sequestration", "special_accounts", "transfers",
]  # fmt: skip
