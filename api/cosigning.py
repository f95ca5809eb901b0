"""Asking witnesses for their cosignatures, as the notary's callable (C2SP tlog-witness, client).

A witness that answers is waited for; one that failed is asked again in the background, later and
later, and is waited for once it has answered. So a dead one delays a single checkpoint.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import httpx

from ledger.errors import LedgerError
from ledger.proofs.notes import write_consistency, write_line
from ledger.proofs.policy import Party, Policy
from ledger.proofs.verify import Checkpoint, Key, Note, ProofError, decode_decimal
from ledger.store.notary import WitnessAhead
from ledger.store.pool import LOST

log = logging.getLogger(__name__)
WAIT_SECONDS = 1.0
"""Longest that a checkpoint waits for witnesses that answered the last time."""
ANSWER_SECONDS = 10.0
"""Longest that one witness is given, in the background too."""
RETRY_SECONDS, RETRY_SECONDS_MAX = 0.5, 30.0
ANSWER_BYTES_MAX = 1 << 16
ROUNDS_MAX = 3
"""Requests for one checkpoint: a 409 names the size to prove from, and may do so once more."""
OK, CONFLICT, UNPROCESSABLE = 200, 409, 422

Consistency = Callable[[int, int], Awaitable[Sequence[bytes]]]
"""Gives the consistency proof from one tree size to another."""


class _Failed(Exception):
    """A witness gave no cosignature."""


@dataclass
class WitnessState:
    """What is known of one witness: the size it cosigned last, and how it answers."""

    name: str
    party: Party
    size: int | None = None
    failures: int = 0
    refusals: int = 0
    told: str = ""
    retry_at: float = 0.0
    ahead: int | None = None
    task: asyncio.Task[str] | None = field(default=None, repr=False)


class Cosigning:
    """Collects cosignatures of a policy's witnesses; one call at a time, by one notary."""

    def __init__(
        self, policy: Policy, consistency: Consistency, *, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        """Take the policy, whose witnesses are asked where they have a URL, and the proofs."""
        self.policy, self.wait_seconds = policy, wait_seconds
        self.witnesses = [WitnessState(n, p) for n, p in policy.witnesses.items() if p.url]
        self._consistency = consistency
        self._client = httpx.AsyncClient(timeout=ANSWER_SECONDS)

    async def close(self) -> None:
        """Give up what is still asked, and disconnect."""
        asked = [state.task for state in self.witnesses if state.task is not None]
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await self._client.aclose()

    def satisfied(self, note: bytes) -> bool:
        """Say whether a note carries the cosignatures that the policy asks for."""
        return self.policy.satisfied(self._signed(note))

    def _signed(self, note: bytes) -> set[Key]:
        """Return the witnesses' keys that have cosigned a note already."""
        keys = [party.key for party in self.policy.witnesses.values()]
        return {key for key, _ in Note.parse(note).verified(keys)}

    async def __call__(self, note: bytes, old_size: int, proof: Sequence[bytes]) -> list[str]:
        """Return verified cosignature lines that a note lacks, those that came in time.

        `proof` joins the tree of `old_size` to the note's. Raises `WitnessAhead` when a witness
        has cosigned a larger tree than the note's.
        """
        head, signed = Checkpoint.parse(Note.parse(note).text), self._signed(note)
        asked = [
            state for state in self.witnesses
            if state.party.key not in signed and self._ask(state, note, head, old_size, proof)
        ]  # fmt: skip
        awaited = {state.task for state in asked if state.task and not state.failures}
        if awaited:
            await asyncio.wait(awaited, timeout=self.wait_seconds)
        for state in self.witnesses:
            if state.ahead is not None and state.ahead > head.size:
                raise WitnessAhead(state.name, state.ahead)
        return [line for state in asked if (line := _result(state))]

    def _ask(
        self, state: WitnessState, note: bytes, head: Checkpoint, old: int, proof: Sequence[bytes]
    ) -> bool:
        """Begin to ask a witness, unless it still has a question or is to be left alone."""
        if (state.task and not state.task.done()) or time.monotonic() < state.retry_at:
            return False
        state.task = asyncio.create_task(
            self._answer(state, note, head, {old: proof}), name=f"witness {state.name}"
        )
        return True

    async def _answer(
        self, state: WitnessState, note: bytes, head: Checkpoint, proofs: dict[int, Sequence[bytes]]
    ) -> str:
        """Return a witness's line, or "" and write down why there is none."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                line = await self._cosign(state, note, head, proofs)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, _Failed, ProofError,
                LedgerError, *LOST) as error:  # fmt: skip
            state.failures += 1
            state.retry_at = time.monotonic() + min(
                RETRY_SECONDS * 2 ** min(state.failures - 1, 10), RETRY_SECONDS_MAX
            )
            _tell(state, f"{type(error).__name__.strip('_')} {error}".strip())
            return ""
        if state.failures:
            log.warning("the witness %s cosigns again", state.name)
        state.failures, state.told, state.ahead = 0, "", None
        return line

    async def _cosign(
        self, state: WitnessState, note: bytes, head: Checkpoint, proofs: dict[int, Sequence[bytes]]
    ) -> str:
        """Ask from the size that the witness knows, and again from the one that it names."""
        old = min(proofs) if state.size is None else state.size
        for _ in range(ROUNDS_MAX):
            if old > head.size:
                state.ahead = old
                raise _Failed(f"has cosigned {old} leaves, more than the {head.size} of ours")
            proof = proofs.get(old)
            if proof is None:
                proof = await self._consistency(old, head.size) if old else ()
            status, answer = await self._post(state, write_consistency(old, proof, note))
            if status == OK:
                line = _line(note, answer, state.party.key)
                state.size = head.size
                return line
            if status != CONFLICT:
                state.refusals += status == UNPROCESSABLE
                raise _Failed(f"answers {status}: {answer[:200].decode(errors='replace').strip()}")
            state.size = old = decode_decimal(answer.decode("ascii", "replace").removesuffix("\n"))
        raise _Failed("names another size each time")

    async def _post(self, state: WitnessState, body: bytes) -> tuple[int, bytes]:
        """Send a request; return the status and the answer, which must be short.

        A witness may close a connection that rests just when it is used again: then it is asked
        once more, which changes nothing for it.
        """
        try:
            return await self._send(state, body)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            return await self._send(state, body)

    async def _send(self, state: WitnessState, body: bytes) -> tuple[int, bytes]:
        """Send a request once."""
        url = f"{state.party.url.rstrip('/')}/add-checkpoint"
        whole = bytearray()
        async with self._client.stream("POST", url, content=body) as response:
            async for part in response.aiter_bytes():
                whole += part
                if len(whole) > ANSWER_BYTES_MAX:
                    raise _Failed("answers without end")
            return response.status_code, bytes(whole)


def _result(state: WitnessState) -> str:
    """Return what a question brought, "" while it is still open."""
    return state.task.result() if state.task and state.task.done() else ""


def _tell(state: WitnessState, why: str) -> None:
    """Log a failure when it is another one than the last time; a refused tree is critical."""
    if why != state.told:
        level = logging.CRITICAL if state.refusals or state.ahead else logging.WARNING
        log.log(level, "no cosignature of the witness %s: %s", state.name, why)
    state.told = why


def _line(note: bytes, answer: bytes, key: Key) -> str:
    """Return the witness's own line of an answer, verified. Raises `ProofError`."""
    cosigned = Note.parse(note + answer)
    if not any(at for _, at in cosigned.verified([key])):
        raise ProofError("signature", "the answer holds no timed cosignature of the witness's key")
    return next(write_line(*one) for one in cosigned.signatures if one[:2] == (key.name, key.id))
