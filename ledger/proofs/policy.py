"""Whom to trust, as one text file: logs, witnesses, and which of them make a quorum (tlog-policy).

The same file serves the notary (whom to ask), a witness (for which logs it signs) and an auditor.
Only Ed25519 keys are read: type 1 for a log, type 4 for a witness.

    log      <vkey> [<url>]
    witness  <name> <vkey> [<url>]
    group    <name> all|any|<k> <member>...
    quorum   <name>|none
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.proofs.verify import (
    COSIGNATURE,
    SIGNATURE,
    Checkpoint,
    Key,
    Note,
    ProofError,
    Trust,
)

NONE = "none"
"""The quorum that asks for no witness."""
POLICY_BYTES_MAX = 1 << 18
ALLOWED = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True)
class Party:
    """A log or a witness: its key, and where it is asked; "" for where nobody asks."""

    key: Key
    url: str = ""


@dataclass(frozen=True)
class Group:
    """At least `needed` of the members (witnesses or groups) must have signed."""

    needed: int
    members: tuple[str, ...]


@dataclass
class Policy:
    """Logs, witnesses and groups by name, and the name that must have signed."""

    logs: list[Party] = field(default_factory=list)
    witnesses: dict[str, Party] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str = ""
    _members: set[str] = field(default_factory=set)

    @classmethod
    def parse(cls, raw: bytes) -> Policy:
        """Read a policy file. Raises `ProofError` with code "policy" and the number of the line."""
        if len(raw) > POLICY_BYTES_MAX or not ALLOWED.fullmatch(raw):
            raise ProofError("policy", "too long, or a control character that is not allowed")
        # Octets above 0x7f are opaque: what is no UTF-8 is kept as it is.
        lines, found = raw.decode(errors="surrogateescape").split("\n"), cls()
        if lines.pop():
            raise ProofError("policy", "the last line does not end in a newline")
        readers = {"log": found._log, "witness": found._witness, "group": found._group,
                   "quorum": found._quorum}  # fmt: skip
        for number, line in enumerate(lines, 1):
            words = [word for word in re.split("[ \t]+", line) if word]
            if not words or words[0].startswith("#"):
                continue
            try:
                readers.get(words[0], _unknown)(words[1:])
            except ProofError as error:
                raise ProofError("policy", f"line {number}: {error}") from error
        if not found.quorum:
            raise ProofError("policy", "there is no quorum line")
        return found

    def _log(self, words: list[str]) -> None:
        """Read `<vkey> [<url>]`."""
        if len(words) not in (1, 2):
            raise ProofError("policy", "a log is `log <vkey> [<url>]`")
        self.logs.append(self._party(words, SIGNATURE))

    def _witness(self, words: list[str]) -> None:
        """Read `<name> <vkey> [<url>]`."""
        if len(words) not in (2, 3):
            raise ProofError("policy", "a witness is `witness <name> <vkey> [<url>]`")
        self.witnesses[self._fresh(words[0])] = self._party(words[1:], COSIGNATURE)

    def _group(self, words: list[str]) -> None:
        """Read `<name> all|any|<k> <member>...`."""
        if len(words) < 3:  # noqa: PLR2004 - name, how many, one member
            raise ProofError("policy", "a group is `group <name> all|any|<k> <member>...`")
        name, many, *members = words
        for member in members:
            self._known(member)
            if member in self._members:
                raise ProofError("policy", f"{member} would count twice")
            self._members.add(member)
        if many not in ("all", "any") and not re.fullmatch("0|[1-9][0-9]{0,18}", many):
            raise ProofError("policy", f"{many!r} is not all, any or a plain decimal")
        needed = {"all": len(members), "any": 1}.get(many) or int(many)
        if not 1 <= needed <= len(members):
            raise ProofError("policy", f"{many} of {len(members)} cannot be")
        self.groups[self._fresh(name)] = Group(needed, tuple(members))

    def _quorum(self, words: list[str]) -> None:
        """Read `<name>` or `none`."""
        if self.quorum or len(words) != 1:
            raise ProofError("policy", "a policy has one line `quorum <name>`")
        if words[0] != NONE:
            self._known(words[0])
        self.quorum = words[0]

    def _party(self, words: list[str], kind: int) -> Party:
        """Read a key of a kind and perhaps a URL; one public key has one line."""
        key = Key.parse(words[0])
        if key.kind != kind:
            raise ProofError("policy", f"the key of {key.name} has type {key.kind}, not {kind}")
        if any(key.public == party.key.public for party in (*self.logs, *self.witnesses.values())):
            raise ProofError("policy", f"the public key of {key.name} has a line already")
        return Party(key, words[1] if len(words) > 1 else "")

    def _fresh(self, name: str) -> str:
        """Return a name that is not taken; witnesses and groups share their names."""
        if name == NONE or name in self.witnesses or name in self.groups:
            raise ProofError("policy", f"the name {name} is taken")
        return name

    def _known(self, name: str) -> None:
        """Refuse a name that no line above defines."""
        if name not in self.witnesses and name not in self.groups:
            raise ProofError("policy", f"no line above defines {name}")

    def satisfied(self, signed: Iterable[Key]) -> bool:
        """Say whether the cosignatures of these keys make the quorum."""
        keys = set(signed)
        met = {name for name, witness in self.witnesses.items() if witness.key in keys}
        for name, group in self.groups.items():  # members stand above their group
            if len(met.intersection(group.members)) >= group.needed:
                met.add(name)
        return self.quorum == NONE or self.quorum in met

    def missing(self, signed: Iterable[Key]) -> list[str]:
        """Return the names of the witnesses that have not signed, in the order of the file."""
        keys = set(signed)
        return [name for name, witness in self.witnesses.items() if witness.key not in keys]

    def keys_of(self, origin: str) -> tuple[Key, ...]:
        """Return the keys of a log; two while it changes its key, none of an unknown log."""
        return tuple(log.key for log in self.logs if log.key.name == origin)

    def open(self, raw: bytes) -> Checkpoint:
        """Return a checkpoint that a log of this policy signed and its quorum cosigned, or raise.

        Raises `ProofError` as `Trust.open` does; "quorum" names who is missing.
        """
        origin = Note.parse(raw).text.decode().partition("\n")[0]
        keys = self.keys_of(origin)
        if not keys:
            raise ProofError("origin", f"the policy knows no log {origin}")
        witnesses = tuple(witness.key for witness in self.witnesses.values())
        head = Trust(keys, origin, witnesses).open(raw)
        signed = [key for key, _ in head.cosigned]
        if not self.satisfied(signed):
            absent = ", ".join(self.missing(signed))
            raise ProofError("quorum", f"no quorum {self.quorum}; not signed by {absent}")
        return head


def _unknown(_: list[str]) -> None:
    """Refuse a line that begins with no known word."""
    raise ProofError("policy", "a line begins with log, witness, group, quorum or #")
