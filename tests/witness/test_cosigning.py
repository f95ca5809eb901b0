"""The notary's side: witnesses that answer, are dead, hang, lie, have seen more, come back."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.cosigning import Cosigning
from ledger.proofs.notes import Signer, add_signatures
from ledger.proofs.policy import Policy
from ledger.proofs.verify import COSIGNATURE, ProofError
from ledger.store.notary import WitnessAhead
from tests.witness.conftest import Log
from tests.witness.program import WitnessProcess

LIAR = Signer("liar.example", bytes([50]) * 32, COSIGNATURE)


def policy_of(log: Log, quorum: int, *witnesses: tuple[str, str]) -> Policy:
    """A policy of k of the witnesses, each given by its key and its address."""
    names = [f"w{number}" for number in range(len(witnesses))]
    lines = [f"witness {n} {key} {url}\n" for n, (key, url) in zip(names, witnesses, strict=True)]
    group = f"group all-of-them {quorum} {' '.join(names)}\nquorum all-of-them\n"
    return Policy.parse((f"log {log.signer.key.text}\n" + "".join(lines) + group).encode())


@asynccontextmanager
async def cosigning(
    policy: Policy, log: Log, *, wait_seconds: float = 20
) -> AsyncIterator[Cosigning]:
    """The part under test; a loaded machine answers late, so it waits longer than in earnest."""

    async def consistency(old: int, new: int) -> Sequence[bytes]:
        return log.proof(old, new)

    made = Cosigning(policy, consistency, wait_seconds=wait_seconds)
    try:
        yield made
    finally:
        await made.close()


async def cosign(made: Cosigning, log: Log, size: int, old: int = 0) -> bytes:
    """The checkpoint of a size with what was cosigned in time."""
    note = log.note(size)
    return add_signatures(note, await made(note, old, log.proof(old, size)))


@pytest.fixture
def policy_file(tmp_path: Path, log: Log) -> Path:
    path = tmp_path / "policy"
    path.write_text(f"log {log.signer.key.text}\nquorum none\n")
    return path


@pytest.fixture
def two(tmp_path: Path, policy_file: Path):
    """Two witnesses that run."""
    made = [WitnessProcess(tmp_path / n, policy_file, name=f"{n}.example") for n in ("one", "two")]
    yield made
    for witness in made:
        witness.end()


def addresses(two: list[WitnessProcess]) -> list[tuple[str, str]]:
    return [(witness.key, witness.url) for witness in two]


async def test_a_quorum_of_two_signs_and_the_policy_opens_it(two, log: Log) -> None:
    policy = policy_of(log, 2, *addresses(two))
    async with cosigning(policy, log) as made:
        for old, size in ((0, 5), (5, 9), (9, 200)):
            note = await cosign(made, log, size, old)
            assert made.satisfied(note)
            assert len(policy.open(note).cosigned) == 2
            assert list(await made(note, old, ())) == []  # nobody is asked for the same again
    async with cosigning(policy, log) as again:  # a notary that begins anew knows no sizes
        assert again.satisfied(await cosign(again, log, 200))
        assert again.satisfied(await cosign(again, log, 300, 200))


async def test_a_witness_that_missed_some_gets_a_proof_from_where_it_stands(two, log: Log) -> None:
    assert two[1].ask(log.request(0, 3)).status_code == 200
    assert two[0].ask(log.request(0, 77)).status_code == 200
    async with cosigning(policy_of(log, 2, *addresses(two)), log) as made:
        assert made.satisfied(await cosign(made, log, 100, 90))


async def test_one_dead_of_two_breaks_a_quorum_of_two_only(two, log: Log, tmp_path: Path) -> None:
    port = int(two[1].url.rpartition(":")[2])
    two[1].end(9)
    for quorum in (1, 2):
        async with cosigning(policy_of(log, quorum, *addresses(two)), log) as made:
            note = await cosign(made, log, 10 * quorum)
            assert made.satisfied(note) == (quorum == 1)
            if quorum == 1:
                continue
            with pytest.raises(ProofError, match="not signed by w1"):
                made.policy.open(note)
            home, policy = tmp_path / "two", tmp_path / "policy"
            two[1] = WitnessProcess(home, policy, port=port)
            while not made.satisfied(note):  # it is asked again until it answers
                note = add_signatures(note, await made(note, 0, ()))
                await asyncio.sleep(0.05)
            assert made.satisfied(await cosign(made, log, 50, 20))


@asynccontextmanager
async def answering(raw: bytes | None) -> AsyncIterator[str]:
    """A server that answers everything with some bytes; None: that never answers."""
    never = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        if raw is None:
            await never.wait()
        else:
            writer.write(raw)
        writer.close()

    async with listening(answer) as url:
        yield url
        never.set()


async def asked(reader: asyncio.StreamReader) -> None:
    """Read one request."""
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))


@asynccontextmanager
async def listening(answer) -> AsyncIterator[str]:
    """A server of streams; its address."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_a_connection_that_the_witness_closed_meanwhile_costs_no_cosignature(log: Log):
    """The second question finds the kept connection closed; it is asked again on a new one."""
    connections = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await asked(reader)
        line = lines_of(LIAR.cosign(log.head(4 + len(connections)).text, 1_700_000_000))
        writer.write(http(line).replace(b"connection: close\r\n", b""))
        await reader.read(1)  # the next question has begun to arrive, or the client has gone
        writer.transport.abort()

    async with (
        listening(answer) as url,
        cosigning(policy_of(log, 1, (LIAR.key.text, url)), log) as made,
    ):
        assert made.satisfied(await cosign(made, log, 5))
        assert made.satisfied(await cosign(made, log, 6, 5))
    assert len(connections) == 2


async def test_a_witness_that_never_answers_holds_up_one_checkpoint_only(two, log: Log) -> None:
    async with answering(None) as silent:
        witnesses = [*addresses(two), (LIAR.key.text, silent)]
        async with cosigning(policy_of(log, 2, *witnesses), log, wait_seconds=5) as made:
            assert made.satisfied(await cosign(made, log, 5))
            hanging = made.witnesses[2].task
            assert not hanging.done()
            for size in (6, 7, 8):
                assert made.satisfied(await cosign(made, log, size, size - 1))
            assert made.witnesses[2].task is hanging  # it still has its first question
            assert not hanging.done()


def http(body: bytes, status: str = "200 OK", head: str = "") -> bytes:
    lines = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{head}\r\n"
    return lines.encode() + body


def lines_of(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def lies(log: Log) -> dict[str, bytes]:
    text = log.head(5).text
    other = Signer("other.example", bytes([51]) * 32, COSIGNATURE)
    good = LIAR.cosign(text, 1_700_000_000)
    return {
        "another key": http(lines_of(other.cosign(text, 1_700_000_000))),
        "another text": http(lines_of(LIAR.cosign(log.head(6).text, 1_700_000_000))),
        "no time": http(lines_of(LIAR.cosign(text, 0))),
        "a right and a wrong line": http(lines_of(good, LIAR.cosign(log.head(6).text, 1))),
        "nothing": http(b""),
        "no lines": http(b"ok\n"),
        "a second note": http(b"\nmore\n\n" + lines_of(good)),
        "without end": http(lines_of(good) * 10_000),
        "no HTTP": b"SSH-2.0-witness\r\n",
        "cut": http(lines_of(good))[:-20],
        "elsewhere": http(b"", "307 Temporary Redirect", "location: http://127.0.0.1:9/\r\n"),
        "no size": http(b"many\n", "409 Conflict"),
        "the same size again": http(b"0\n", "409 Conflict"),
        "a size below again": http(b"3\n", "409 Conflict"),
        "unknown log": http(b"", "404 Not Found"),
        "refused": http(b"\xff\n", "422 Unprocessable Entity"),
        "broken": http(b"", "500 Internal Server Error"),
    }


@pytest.mark.parametrize("lie", lies(Log()))
async def test_what_is_no_cosignature_is_not_taken_for_one(log: Log, lie: str) -> None:
    async with (
        answering(lies(log)[lie]) as url,
        cosigning(policy_of(log, 1, (LIAR.key.text, url)), log) as made,
    ):
        note = await cosign(made, log, 5)
        assert note == log.note(5)
        state = made.witnesses[0]
        assert (state.failures, state.told != "") == (1, True)
        assert not made.satisfied(note)
        assert await cosign(made, log, 6, 5) == log.note(6)


async def test_a_foreign_line_beside_the_own_one_is_left_out(log: Log) -> None:
    text = log.head(5).text
    lines = [Signer("other.example", bytes(32), COSIGNATURE).cosign(text, 1), LIAR.cosign(text, 1)]
    async with (
        answering(http(lines_of(*lines))) as url,
        cosigning(policy_of(log, 1, (LIAR.key.text, url)), log) as made,
    ):
        assert await made(log.note(5), 0, ()) == lines[1:]


async def test_a_witness_that_has_seen_more_is_an_alarm(two, log: Log) -> None:
    assert two[1].ask(log.request(0, 40)).status_code == 200
    async with cosigning(policy_of(log, 1, *addresses(two)), log) as made:
        for _ in range(2):  # and stays one
            with pytest.raises(WitnessAhead, match="w1 has cosigned a tree of 40"):
                await cosign(made, log, 30)
        assert (await cosign(made, log, 50)).count(b"\n") > log.note(50).count(b"\n")


async def test_a_fork_gets_no_cosignature(two, log: Log, fork: Log) -> None:
    async with cosigning(policy_of(log, 2, *addresses(two)), log) as made:
        assert made.satisfied(await cosign(made, log, 20))
    async with cosigning(policy_of(fork, 1, *addresses(two)), fork) as made:
        for size in (20, 30):
            assert await cosign(made, fork, size) == fork.note(size)
        assert [state.refusals > 0 for state in made.witnesses] == [True, True]


async def test_a_port_where_nobody_listens_is_only_a_failure(log: Log) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        witnesses = [
            (LIAR.key.text, url),
            (Signer("x", bytes(32), COSIGNATURE).key.text, "nowhere"),
        ]
        async with cosigning(policy_of(log, 1, *witnesses), log) as made:
            assert await cosign(made, log, 5) == log.note(5)
            assert [state.failures for state in made.witnesses] == [1, 1]


async def test_a_proof_that_cannot_be_made_is_only_a_failure(two, log: Log) -> None:
    async def broken(_old: int, _new: int) -> Sequence[bytes]:
        raise ProofError("malformed", "no tiles")

    assert two[0].ask(log.request(0, 7)).status_code == 200
    made = Cosigning(policy_of(log, 1, *addresses(two)), broken, wait_seconds=20)
    try:
        lines = await made(log.note(9), 0, ())
        assert [line.split()[1] for line in lines] == ["two.example"]
        assert [state.failures for state in made.witnesses] == [1, 0]
    finally:
        await made.close()
