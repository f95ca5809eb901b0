"""Each sentence of C2SP tlog-witness, asked over HTTP of the application that is served."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as TheirCheckpoint

from api.witness import create_witness
from ledger.proofs.notes import Signer, add_signatures, write_checkpoint, write_consistency
from ledger.proofs.verify import Key, Note, ProofError, Trust
from ledger.proofs.witness import Rejected, Witness
from tests.witness.conftest import ORIGIN, Log, digest

NAME = "witness.example/1"


class Clock:
    """POSIX seconds that a test sets."""

    now = 1_700_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def witness(tmp_path: Path, log: Log) -> Witness:
    with Witness(tmp_path / "home", [log.signer.key], NAME) as made:
        yield made


@pytest.fixture
async def door(witness: Witness, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_witness(witness, clock))
    async with httpx.AsyncClient(transport=transport, base_url="http://witness") as client:
        yield client


async def ask(door: httpx.AsyncClient, body: bytes) -> httpx.Response:
    return await door.post("/add-checkpoint", content=body)


def size_of(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.text, answer.headers["content-type"].partition(";")[0]


async def test_growth_is_cosigned_and_the_cosignature_verifies(
    door: httpx.AsyncClient, witness: Witness, log: Log, clock: Clock
) -> None:
    key = witness.signer.key
    for old, new in ((0, 1), (1, 7), (7, 7), (7, 256), (256, 300)):
        clock.now += 10
        answer = await ask(door, log.request(old, new))
        assert answer.status_code == 200, answer.text
        assert answer.text.startswith(f"— {NAME} ")
        assert answer.text.endswith("\n")
        whole = log.note(new) + answer.content
        head = Trust((log.signer.key,), ORIGIN, (key,), 1).open(whole)
        assert head.cosigned == ((key, clock.now),)
        TheirCheckpoint.from_text(whole.decode()).verify(Vkey.from_string(key.text))


async def test_the_empty_tree_is_cosigned_and_is_consistent_with_every_tree(
    door: httpx.AsyncClient, log: Log
) -> None:
    assert (await ask(door, log.request(0, 0))).status_code == 200
    assert (await ask(door, log.request(0, 0))).status_code == 200
    assert (await ask(door, log.request(0, 5))).status_code == 200
    assert size_of(await ask(door, log.request(0, 0))) == (409, "5\n", "text/x.tlog.size")


async def test_another_old_size_is_answered_with_the_size_that_was_cosigned(
    door: httpx.AsyncClient, log: Log
) -> None:
    assert size_of(await ask(door, log.request(3, 9))) == (409, "0\n", "text/x.tlog.size")
    await ask(door, log.request(0, 9))
    for old, new in ((0, 9), (0, 12), (5, 12), (10, 12), (3, 5)):
        assert size_of(await ask(door, log.request(old, new))) == (409, "9\n", "text/x.tlog.size")


async def test_a_rollback_is_never_cosigned(door: httpx.AsyncClient, log: Log) -> None:
    await ask(door, log.request(0, 20))
    for old in range(12):  # whatever the old size that is claimed
        assert (await ask(door, log.request(old, 11, []))).status_code == 409
    assert (await ask(door, log.request(20, 11, []))).status_code == 400
    assert (await ask(door, log.request(20, 20))).status_code == 200


async def test_a_fork_is_never_cosigned(door: httpx.AsyncClient, log: Log, fork: Log) -> None:
    await ask(door, log.request(0, 20))
    assert (await ask(door, fork.request(20, 20))).status_code == 422
    for new in (21, 32, 40, 300):
        assert (await ask(door, fork.request(20, new))).status_code == 422
        mixed = write_consistency(20, log.proof(20, new), fork.note(new))
        assert (await ask(door, mixed)).status_code == 422
    assert (await ask(door, log.request(20, 40))).status_code == 200


async def test_a_proof_that_proves_nothing_is_refused(door: httpx.AsyncClient, log: Log) -> None:
    assert (await ask(door, log.request(0, 20, [bytes(32)]))).status_code == 422
    await ask(door, log.request(0, 20))
    good = log.proof(20, 40)
    for bad in ([], good[:-1], [*good, bytes(32)], [bytes(32), *good[1:]], good[::-1]):
        assert (await ask(door, log.request(20, 40, bad))).status_code == 422, len(bad)
    assert (await ask(door, log.request(20, 20, [bytes(32)]))).status_code == 422


async def test_an_empty_tree_with_a_root_of_its_own_is_refused(
    door: httpx.AsyncClient, log: Log
) -> None:
    text = log.head(0, bytes(32)).text
    assert (await ask(door, log.signed(0, text))).status_code == 422
    assert (await ask(door, log.signed(3, text))).status_code == 400
    await ask(door, log.request(0, 4))
    assert (await ask(door, log.signed(0, text))).status_code == 409


async def test_an_unknown_log_is_not_found_whoever_signed(
    door: httpx.AsyncClient, log: Log, stranger: Log
) -> None:
    assert (await ask(door, stranger.request(0, 5))).status_code == 404
    text = stranger.head(5).text
    assert (await ask(door, log.signed(0, text))).status_code == 404


async def test_a_checkpoint_that_the_log_did_not_sign_is_forbidden(
    door: httpx.AsyncClient, log: Log
) -> None:
    head = log.head(5)
    unknown = Signer("nobody.example", bytes(32))
    same_name = Signer(ORIGIN, bytes([9]) * 32)
    for signer in (unknown, same_name):
        body = write_consistency(0, [], write_checkpoint(head, [signer]))
        assert (await ask(door, body)).status_code == 403
    good, other = log.note(5), log.note(6)
    assert (await ask(door, b"old 0\n\n" + good.replace(b"\n5\n", b"\n6\n"))).status_code == 403
    wrong_line = Note.parse(other).signatures[0]
    line = f"— {wrong_line[0]} {base64.b64encode(wrong_line[1] + wrong_line[2]).decode()}"
    both = add_signatures(good, [line])  # a right and a wrong line of one key: malformed
    assert (await ask(door, write_consistency(0, [], both))).status_code == 403
    assert size_of(await ask(door, log.request(1, 5)))[1] == "0\n"  # nothing was cosigned


async def test_lines_of_unknown_keys_are_passed_over(door: httpx.AsyncClient, log: Log) -> None:
    others = [Signer(f"x{n}.example", bytes([n]) * 32).sign(b"something else\n") for n in range(20)]
    note = add_signatures(log.note(5), others)
    assert (await ask(door, write_consistency(0, [], note))).status_code == 200
    shown = await door.get(f"/{digest()}/checkpoint")
    assert [one[0] for one in Note.parse(shown.content).signatures] == [ORIGIN, NAME]


async def test_extension_lines_are_cosigned_with_the_rest(
    door: httpx.AsyncClient, log: Log, witness: Witness
) -> None:
    text = log.head(5, None, "an extension").text
    answer = await ask(door, log.signed(0, text))
    line = Note.parse(log.note(5) + answer.content).signatures[-1]
    assert witness.signer.key.verify(text, line[2])


MALFORMED = {
    "nothing": lambda _: b"",
    "no old line": lambda good: good.partition(b"\n")[2],
    "another word": lambda good: good.replace(b"old ", b"Old ", 1),
    "leading zero": lambda good: good.replace(b"old 0", b"old 00", 1),
    "sign": lambda good: good.replace(b"old 0", b"old -0", 1),
    "two spaces": lambda good: good.replace(b"old 0", b"old  0", 1),
    "carriage return": lambda good: good.replace(b"old 0\n", b"old 0\r\n", 1),
    "too large": lambda good: good.replace(b"old 0", b"old 9223372036854775808", 1),
    "no empty line": lambda good: good.replace(b"\n\n", b"\n", 1),
    "no checkpoint": lambda good: good[: good.index(b"\n\n") + 2],
    "no signature": lambda good: good[: good.rindex(b"\n\n") + 1],
    "proof is no Base 64": lambda good: good.replace(b"\n", b"\n!\n", 1),
    "proof of 31 bytes": lambda good: good.replace(b"\n", b"\n" + b"A" * 40 + b"A=\n", 1),
    "64 proof lines": lambda good: good.replace(b"\n", b"\n" + (b"A" * 43 + b"=\n") * 64, 1),
    "cut": lambda good: good[:-1],
    "not UTF-8": lambda good: good.replace(b"ledger", b"\xffedger"),
    "size with a zero": lambda good: good.replace(b"\n5\n", b"\n05\n"),
    "root of 31 bytes": lambda good: good.replace(b"\n5\n", b"\n5\n" + b"A" * 40 + b"A=\n", 1),
}


@pytest.mark.parametrize("what", MALFORMED)
async def test_a_malformed_request_is_a_bad_request(
    door: httpx.AsyncClient, log: Log, what: str
) -> None:
    change: Callable[[bytes], bytes] = MALFORMED[what]
    body = change(log.request(0, 5))
    assert body != log.request(0, 5)
    assert (await ask(door, body)).status_code == 400
    assert (await door.get(f"/{digest()}/checkpoint")).status_code == 404


async def test_63_proof_lines_are_read(door: httpx.AsyncClient, log: Log) -> None:
    assert (await ask(door, log.request(0, 5, [bytes(32)] * 63))).status_code == 422


async def test_a_body_without_end_is_not_read_to_its_end(door: httpx.AsyncClient) -> None:
    assert (await ask(door, b"old 0\n" * 300_000)).status_code == 413
    assert (await door.get("/add-checkpoint")).status_code == 405


@settings(max_examples=400, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.data())
def test_no_bytes_break_the_witness_or_move_it_without_a_proof(
    witness: Witness, log: Log, data: st.DataObject
) -> None:
    """Real requests with bytes cut out, put in and changed, and plain noise."""
    (witness.home / f"{digest()}.checkpoint").unlink(missing_ok=True)
    witness.add_checkpoint(log.request(0, 20), 1_700_000_000)
    latest = witness.cosigned(ORIGIN)
    body = bytearray(log.request(20, data.draw(st.integers(20, 23))))
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(body)))
        end = min(len(body), start + data.draw(st.sampled_from([0, 0, 1, 1, 2, 40])))
        body[start:end] = data.draw(st.one_of(
            st.binary(max_size=3), st.sampled_from([b"\n", b"\n\n", b"0", "— ".encode(), b"old "]),
        ))  # fmt: skip
    try:
        line = witness.add_checkpoint(bytes(body), 1_700_000_000)
    except Rejected as error:
        assert error.status in (400, 403, 404, 409, 422)  # noqa: PT017 - both outcomes are right
        assert witness.cosigned(ORIGIN) == latest
    else:
        note = Note.parse(bytes(body).partition(b"\n\n")[2])
        size = int(note.text.split(b"\n")[1])
        assert note.text.startswith(log.head(size).text)
        signature = Note.parse(log.note(0) + line).signatures[-1][2]
        assert witness.signer.key.verify(note.text, signature)


async def test_two_requests_at_once_are_one_after_the_other(
    door: httpx.AsyncClient, witness: Witness, log: Log
) -> None:
    await ask(door, log.request(0, 10))
    answers = await asyncio.gather(*(ask(door, log.request(10, n)) for n in range(11, 41)))
    told = [answer.status_code for answer in answers]
    assert sorted(told) == [200] + [409] * 29
    assert witness.cosigned(ORIGIN).size == 11 + told.index(200)


async def test_a_client_that_goes_away_leaves_no_half_step(
    door: httpx.AsyncClient, witness: Witness, log: Log
) -> None:
    asked = asyncio.create_task(ask(door, log.request(0, 10)))
    for _ in range(5):
        await asyncio.sleep(0)
    asked.cancel()
    for new in (20, 30, 40):
        old = int((await ask(door, log.request(new, new))).text)
        assert (await ask(door, log.request(old, new))).status_code == 200
    assert witness.cosigned(ORIGIN).size == 40


async def test_the_last_cosigned_checkpoint_is_shown_under_the_hash_of_its_origin(
    door: httpx.AsyncClient, witness: Witness, log: Log, stranger: Log
) -> None:
    path = f"/{digest()}/checkpoint"
    assert (await door.get(path)).status_code == 404
    answer = await ask(door, log.request(0, 33))
    shown = await door.get(path)
    assert shown.content == log.note(33) + answer.content
    Trust((log.signer.key,), ORIGIN, (witness.signer.key,), 1).open(shown.content)
    assert (await door.get(f"/{digest(stranger.signer.key.name)}/checkpoint")).status_code == 404
    assert (await door.get("/../lock/checkpoint")).status_code == 404


async def test_a_clock_that_is_set_back_contradicts_nothing(
    door: httpx.AsyncClient, witness: Witness, log: Log, clock: Clock
) -> None:
    await ask(door, log.request(0, 10))
    before, clock.now = clock.now, clock.now - 1000
    assert (await ask(door, log.request(10, 20))).status_code == 200
    assert witness.cosigned(ORIGIN).cosigned == ((witness.signer.key, before),)


def test_logs_are_kept_apart_and_a_log_may_change_its_key(tmp_path: Path, log: Log) -> None:
    fresh = Log(seed=7)
    other = Log(seed=3, name="other.example/log", word="another")
    keys = [log.signer.key, fresh.signer.key, other.signer.key]
    with Witness(tmp_path, keys, NAME) as witness:
        for size, signer in ((5, log), (9, fresh)):
            old = witness.cosigned(ORIGIN).size if witness.cosigned(ORIGIN) else 0
            witness.add_checkpoint(signer.request(old, size), 1)
        witness.add_checkpoint(other.request(0, 3), 1)
        assert (witness.cosigned(ORIGIN).size, witness.cosigned("other.example/log").size) == (9, 3)


def test_a_restart_remembers_everything(tmp_path: Path, log: Log, fork: Log) -> None:
    with Witness(tmp_path, [log.signer.key], NAME) as witness:
        witness.add_checkpoint(log.request(0, 20), 1)
        key = witness.signer.key
    with Witness(tmp_path, [log.signer.key]) as again:
        assert again.signer.key == key
        with pytest.raises(Rejected, match="size 20"):
            again.add_checkpoint(fork.request(0, 30), 2)
        assert again.add_checkpoint(log.request(20, 30), 2)


def test_two_witnesses_on_one_folder_are_refused(tmp_path: Path, log: Log) -> None:
    with (
        Witness(tmp_path, [log.signer.key], NAME),
        pytest.raises(ProofError, match="another process") as refused,
    ):
        Witness(tmp_path, [log.signer.key])
    assert refused.value.code == "in-use"
    Witness(tmp_path, [log.signer.key]).close()


def test_the_key_is_secret_and_is_never_replaced(tmp_path: Path, log: Log) -> None:
    with Witness(tmp_path, [log.signer.key], NAME) as witness:
        key = witness.signer.key
        assert key.kind == Key.parse(key.text).kind == 4
    file = tmp_path / "witness.key"
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ProofError, match=r"not another\.example"):
        Witness(tmp_path, [log.signer.key], "another.example")
    file.chmod(0o604)
    with pytest.raises(ProofError, match="others can use"):
        Witness(tmp_path, [log.signer.key])
    file.chmod(0o600)
    secret = file.read_text().strip()
    file.write_text(secret[:-4] + "\n")
    with pytest.raises(ProofError) as refused:
        Witness(tmp_path, [log.signer.key], NAME)
    assert secret[20:40] not in str(refused.value)


@pytest.mark.parametrize("damage", ["cut", "emptied", "another size", "another key"])
async def test_a_damaged_record_stops_the_witness(
    tmp_path: Path, door: httpx.AsyncClient, witness: Witness, log: Log, damage: str
) -> None:
    """It would be a rollback to begin anew."""
    await ask(door, log.request(0, 20))
    path = witness.home / f"{digest()}.checkpoint"
    raw = path.read_bytes()
    path.write_bytes({
        "cut": raw[:-9], "emptied": b"", "another size": raw.replace(b"\n20\n", b"\n10\n"),
        "another key": log.note(20),
    }[damage])  # fmt: skip
    assert (await ask(door, log.request(20, 30))).status_code == 500
    assert (await ask(door, log.request(0, 30))).status_code == 500
    witness.close()
    with pytest.raises(ProofError) as refused:
        Witness(witness.home, [log.signer.key])
    assert refused.value.code == "state"
