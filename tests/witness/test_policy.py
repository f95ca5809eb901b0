"""The policy file of C2SP tlog-policy: its example, every rule, quorums of groups."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.proofs.notes import Signer, add_signatures
from ledger.proofs.policy import Policy
from ledger.proofs.verify import COSIGNATURE, ProofError
from tests.witness.conftest import ORIGIN, Log

NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
WITNESSES = {
    name: Signer(f"{name}.example", bytes([number]) * 32, COSIGNATURE)
    for number, name in enumerate(NAMES, 100)
}
KEYS = {name: one.key for name, one in WITNESSES.items()}
LINES = "".join(f"witness {name} {key.text}\n" for name, key in KEYS.items())


def example(log: Log) -> str:
    """The example of the specification, with keys and with spaces that it allows."""
    return (
        f"# a comment\n\n  log {log.signer.key.text}\thttps://log.example/ \n{LINES}"
        "group X-witnesses 2 X1 X2 X3\n\t# another\ngroup Y-witnesses any Y1 Y2 Y3\n"
        "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
    )


def test_the_example_asks_for_two_of_one_group_and_one_of_the_other(log: Log) -> None:
    policy = Policy.parse(example(log).encode())
    assert policy.keys_of(ORIGIN) == (log.signer.key,)
    assert policy.logs[0].url == "https://log.example/"
    for signed in itertools.chain.from_iterable(itertools.combinations(NAMES, n) for n in range(7)):
        groups = [sum(name[0] == letter for name in signed) for letter in "XY"]
        assert policy.satisfied(KEYS[name] for name in signed) == (
            groups[0] >= 2 and groups[1] >= 1
        ), signed


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 6), st.sets(st.sampled_from(NAMES)))
def test_k_of_n(needed: int, signed: set[str]) -> None:
    policy = Policy.parse(f"{LINES}group g {needed} {' '.join(NAMES)}\nquorum g\n".encode())
    assert policy.satisfied(KEYS[name] for name in signed) == (len(signed) >= needed)
    assert policy.missing(KEYS[name] for name in signed) == sorted(set(NAMES) - signed)


def test_a_single_witness_and_nobody_are_quorums_too() -> None:
    single = Policy.parse(f"{LINES}quorum X1\n".encode())
    assert not single.satisfied([])
    assert single.satisfied([KEYS["X1"]])
    assert Policy.parse(b"quorum none\n").satisfied([])


def test_a_checkpoint_is_opened_with_its_quorum_only(log: Log, stranger: Log) -> None:
    policy = Policy.parse(example(log).encode())
    note, text = log.note(7), log.head(7).text
    for name in ("X3", "Y2"):
        note = add_signatures(note, [WITNESSES[name].cosign(text, 1_700_000_000)])
        with pytest.raises(ProofError, match="not signed by X1, X2") as refused:
            policy.open(note)
        assert refused.value.code == "quorum"
    note = add_signatures(note, [WITNESSES["X1"].cosign(text, 1_700_000_000)])
    assert {key.name for key, _ in policy.open(note).cosigned} == {
        "X1.example", "X3.example", "Y2.example",
    }  # fmt: skip
    with pytest.raises(ProofError, match="knows no log"):
        policy.open(stranger.note(7))


X1, LOG = KEYS["X1"].text, Log().signer.key.text
TWICE = f"witness other {X1.replace('X1.example', 'X1.example', 1)}\n"
REFUSED = {
    "no quorum": LINES,
    "two quorums": f"{LINES}quorum X1\nquorum X1\n",
    "quorum of nobody known": "quorum X9\n",
    "quorum above its definition": f"quorum X1\n{LINES}",
    "a word that is none": "quorums none\nquorum none\n",
    "no newline at the end": "quorum none",
    "a carriage return": "quorum none\r\n",
    "two names": f"{LINES}quorum X1 X2\n",
    "a name twice": f"{LINES}witness X1 {WITNESSES['X1'].key.text}\nquorum none\n",
    "a public key twice": f"{LINES}{TWICE}quorum none\n",
    "a log twice": f"log {LOG}\nlog {LOG}\nquorum none\n",
    "a log with a witness's key": f"log {X1}\nquorum none\n",
    "a witness with a log's key": f"witness w {LOG}\nquorum none\n",
    "a broken key": f"witness w {X1[:-4]}\nquorum none\n",
    "a witness called none": f"witness none {X1}\nquorum none\n",
    "three words for a log": f"log {LOG} a b\nquorum none\n",
    "none in a group": f"{LINES}group g any none\nquorum none\n",
    "an empty group": f"{LINES}group g any\nquorum none\n",
    "none of one": f"{LINES}group g 0 X1\nquorum none\n",
    "two of one": f"{LINES}group g 2 X1\nquorum none\n",
    "a leading zero": f"{LINES}group g 01 X1\nquorum none\n",
    "a member twice": f"{LINES}group g 1 X1 X1\nquorum none\n",
    "a member of two groups": f"{LINES}group g 1 X1\ngroup h 1 X1\nquorum none\n",
    "a group of itself": f"{LINES}group g 1 g\nquorum none\n",
    "a group called as a witness": f"{LINES}group X2 1 X1\nquorum none\n",
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_policy_that_breaks_a_rule_is_refused(what: str) -> None:
    with pytest.raises(ProofError) as refused:
        Policy.parse(REFUSED[what].encode())
    assert refused.value.code == "policy"


def test_octets_above_ascii_are_opaque_names() -> None:
    raw = b"witness \xe2\x84\xaa " + X1.encode() + b"\nquorum \xe2\x84\xaa\n"
    assert Policy.parse(raw).satisfied([KEYS["X1"]])
    latin = b"# \xff\nwitness \xff " + X1.encode() + b"\nquorum \xff\n"
    assert Policy.parse(latin).satisfied([KEYS["X1"]])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([
    "log", "witness", "group", "quorum", "none", "all", "any", "1", "2", "X1", "g", X1, LOG,
    "\n", "\n", "#", "\t",
]), max_size=30))  # fmt: skip
def test_no_text_breaks_the_reader(words: list[str]) -> None:
    try:
        policy = Policy.parse((" ".join(words) + "\n").encode())
    except ProofError as error:
        assert error.code == "policy"  # noqa: PT017 - both outcomes are right
    else:
        assert policy.satisfied(KEYS.values())
