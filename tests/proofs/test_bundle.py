"""The pieces of a bundle: one proof for many leaves, equal bytes, sums as the domain has them."""

import hashlib
import io
import json
import struct
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ledger.instruments  # noqa: F401 - fills the registry of events
from ledger.events import EVENTS, decode
from ledger.money import to_text
from ledger.proofs.bundle import Bundle, Shown, gaps
from ledger.proofs.leaf import Leaf
from ledger.proofs.merkle import Tree, inclusion_proof, root_of, subtree_hash
from ledger.proofs.notes import write_checkpoint
from ledger.proofs.verify import (
    ADDS,
    FIGURES,
    FILES,
    Checkpoint,
    ProofError,
    Trust,
    add_event,
    check_execution,
    leaf_hash,
    main,
    prove,
    reading,
    root_with,
)
from projections.budget_execution.fold import SUMMED
from projections.budget_execution.folded import select
from tests.golden.golden import FOLDER, stored
from tests.proofs.bundles import opened


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_leaves_of_any_tree_lead_to_its_root_and_no_others(data, leaves, tree):
    size = data.draw(st.integers(1, 2000))
    places = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=40))
    proof = [subtree_hash(start, end, tree) for start, end in gaps(sorted(places), size)]
    hashes = {at: leaf_hash(leaves[at]) for at in places}
    assert root_with(hashes, size, proof) == root_of(size, tree)
    wrong = {**hashes, max(places): leaf_hash(b"another")}
    assert root_with(wrong, size, proof) != root_of(size, tree)
    for bad in (proof[:-1] if proof else [b""], [*proof, bytes(32)], [b"short", *proof[1:]]):
        with pytest.raises(ProofError):
            root_with(hashes, size, bad)


def test_the_proof_of_one_leaf_is_its_inclusion_proof(tree):
    """The same hashes as RFC 9162's path, in another order: nothing of our own is invented."""
    for size in (1, 2, 7, 256, 1000, 1999):
        for at in {0, size // 2, size - 1}:
            ours = [subtree_hash(start, end, tree) for start, end in gaps([at], size)]
            assert sorted(ours) == sorted(inclusion_proof(at, size, tree))


def a_bundle(leaves, tree, signer) -> Bundle:
    head = Checkpoint(signer.key.name, 500, root_of(500, tree))
    proof = [subtree_hash(start, end, tree) for start, end in gaps([3, 4], 500)]
    events = (Shown(3, leaves[3], b'{"a b":1}'), Shown(4, leaves[4], None))
    return Bundle({"v": 1, "logs": []}, b"{}", write_checkpoint(head, [signer]), tuple(proof),
                  events)  # fmt: skip


def test_equal_contents_are_equal_bytes_and_are_read_as_written(leaves, tree, signer):
    bundle = a_bundle(leaves, tree, signer)
    raw = bundle.write()
    assert raw == a_bundle(leaves, tree, signer).write()
    assert opened(raw) == bundle
    assert opened(raw).write() == raw


def test_the_sums_know_exactly_the_kinds_that_change_a_line():
    assert {f"budget.{kind}" for kind in ADDS} == SUMMED


def report_of(line: tuple[str, ...], figures: dict[str, str], effective: str, adopted=None):
    """The execution report of a budget that has one line, in a section that counts in V."""
    row, total = {"line": [*line], **figures}, {"line": [line[0]], **figures}
    balance = [{"part": part, **figures} for part in (line[0], "V")]
    return {"effective": effective, "adopted": adopted, "rows": [row], "totals": [total],
            "identity": balance}  # fmt: skip


def rules_of(line: tuple[str, ...], digits: int = 2) -> dict[str, object]:
    return {"sections": [{"name": line[0], "identity": 1}], "minor_digits": digits}


NOTHING = {"rows": [], "totals": [], "identity": []}


@pytest.mark.parametrize("kind", sorted(SUMMED))
def test_the_second_reading_of_an_event_is_the_domains(kind):
    """Every golden body, and its contra line: the sums of the body are those of `movement()`."""
    for path in FOLDER.glob(f"{kind}.v*.json"):
        plain = json.loads(stored(path))
        for state in (plain, {**plain, "contra": True}):
            if "contra" in state and "contra" not in EVENTS[kind].__dataclass_fields__:
                continue
            raw = json.dumps(state).encode()
            event = decode(raw, "KZ-2025-x", 1)
            [(line, figures)] = select([(event, raw)], 1, date.max, None).lines.items()
            amounts = Counter()
            add_event(amounts, state)
            told = {name: to_text(getattr(figures, name), 2) for name in FIGURES}
            rules, report = rules_of(line), report_of(line, told, "9999-12-31")
            assert check_execution(report, {}, amounts, rules) == 2 * len(FIGURES) + 2 * 4
            for name in FIGURES:  # each figure is compared
                wrong = report_of(line, {**told, name: told[name] + "1"}, "9999-12-31")
                with pytest.raises(ProofError, match=name):
                    check_execution(wrong, {}, amounts, rules)
            for table in NOTHING:
                with pytest.raises(ProofError, match="other lines"):
                    check_execution({**report, table: []}, {}, amounts, rules)
            for effective, adopted in (("2000-01-01", None), ("2025-12-31", "2000-01-01")):
                empty = {"effective": effective, "adopted": adopted, **NOTHING}
                assert check_execution(empty, {}, amounts, rules) == 0


@pytest.mark.parametrize(("minor", "digits", "text"), [
    (0, 2, "0.00"), (-5, 2, "-0.05"), (123456, 2, "1234.56"), (-7, 0, "-7"), (7, 3, "0.007"),
    (10**17 + 1, 2, "1000000000000000.01"),
    (123456789012345678901234567890, 2, "1234567890123456789012345678.90"),
])  # fmt: skip
def test_amounts_are_written_as_the_ledger_writes_them(minor, digits, text):
    line, zero = ("expenditure", "1"), to_text(0, digits)
    amounts = {(line, "2025-01-01", "2025-01-01", "", "accepted"): minor}
    told = dict.fromkeys(FIGURES, zero) | {"accepted": text}
    assert text == to_text(minor, digits)
    assert check_execution(report_of(line, told, "2025-01-01"), {}, amounts, rules_of(line, digits))


@pytest.mark.parametrize(("minor", "digits"), [
    (float("nan"), 2), (1.5, 2), (1, 10**7), (1, -1), (1, "2"), (1, None),
])  # fmt: skip
def test_what_is_no_number_of_minor_units_or_decimals_is_refused(minor, digits):
    line = ("expenditure", "1")
    amounts = {(line, "2025-01-01", "2025-01-01", "", "accepted"): minor}
    told = dict.fromkeys(FIGURES, "NaN")
    with pytest.raises(ProofError), reading("a report"):
        check_execution(report_of(line, told, "2025-01-01"), {}, amounts, rules_of(line, digits))


@pytest.mark.parametrize("by", [None, "group"])
def test_a_section_that_the_law_knows_no_more_is_still_summed(by):
    line, told = ("old section", "1"), dict.fromkeys(FIGURES, "0") | {"accepted": "7"}
    amounts = {(line, "2025-01-01", "2025-01-01", "", "accepted"): 7}
    report = report_of(line[:1] if by else line, told, "2025-01-01") | {"identity": []}
    rules = rules_of(("expenditure",), 0)
    assert check_execution(report, {"by": by}, amounts, rules) == 2 * len(FIGURES)


def test_a_version_that_is_not_known_is_no_sum():
    with pytest.raises(ProofError, match="version"):
        add_event(Counter(), {"kind": "budget.line.approved", "class_version": 2})


def test_a_tree_of_shown_leaves_only_needs_no_hash(leaves):
    some = {at: leaf_hash(leaf) for at, leaf in enumerate(leaves[:5])}
    assert list(gaps(range(5), 5)) == []
    assert root_with(some, 5, []) == Tree(leaves[:5]).root
    assert Leaf.decode(leaves[0]).position == 1


def test_the_root_itself_is_no_proof_of_events_that_stand_nowhere(leaves):
    root, some = Tree(leaves[:5]).root, leaf_hash(b"invented")
    for places in ({}, {5: some}, {-1: some}, {3: some, 9: some}):
        with pytest.raises(ProofError):
            root_with(places, 5, [root])


LOGS = ("rulebook", "KZ-a", "KZ-b", "KZ-a", "KZ-b", "KZ-a", "KZ-b", "rulebook")
"""Whose event stands where in the tree."""


def a_ledger() -> list[Shown]:
    """Eight events of three logs, each chained to the one before in its log (decision 0003)."""
    chains, found = dict.fromkeys(LOGS, b""), []
    for at, log in enumerate(LOGS):
        body, position = b'{"at":%d}' % at, LOGS[: at + 1].count(log)
        number = int.from_bytes(hashlib.sha256(log.encode()).digest()[:8], "big") >> 1
        chains[log] = hashlib.sha256(
            b"\x02" + chains[log] + struct.pack(">QQI", number, position, len(body)) + body
        ).digest()
        leaf = Leaf(log=log, position=position, kind="k", recorded_at=at, chain=chains[log],
                    body=hashlib.sha256(body).digest())  # fmt: skip
        found.append(Shown(at, leaf.encode(), body))
    return found


def shown_of(signer, events, places, **said) -> bytes:
    """A bundle about the log KZ-a at sequence 5, over a tree of these events, that shows some."""
    tree, size = Tree([one.leaf for one in events]), len(events)
    head = write_checkpoint(Checkpoint(signer.key.name, size, tree.root), [signer])
    manifest = {"v": 1, "report": "lines", "question": {}, "sequence": 5, "rules_at": 1,
                "logs": ["KZ-a"], **said}  # fmt: skip
    proof = [subtree_hash(start, end, tree) for start, end in gaps(sorted(places), size)]
    shown = tuple(events[at] for at in places)
    return Bundle(manifest, b'{"sequence":5}', head, tuple(proof), shown).write()


def judged(signer, raw: bytes) -> str:
    """The code of the refusal, "" where the bundle is right."""
    try:
        head, _, _, logs = prove(io.BytesIO(raw), Trust((signer.key,), signer.key.name))
    except ProofError as error:
        return error.code
    assert (head.size, [at for at, _ in logs["KZ-a"]]) == (8, [1, 3])
    return ""


@pytest.mark.parametrize(("places", "said", "code"), [
    ([0, 1, 3, 5], {}, ""),  # the log's next event is later
    ([0, 1, 3, 4], {}, ""),  # every envelope from its last event up to the sequence
    ([0, 1, 3, 5, 7], {"rules_at": 2}, ""),  # a rule may have a later sequence than the report
    ([0, 1, 2, 3, 4, 5, 6, 7], {"rules_at": 2}, ""),
    ([0, 1, 2, 3, 4, 5, 6, 7], {}, "rules"),
    ([0, 1, 3], {}, "omitted"),  # there might be one at 4
    ([0, 1, 3, 6], {}, "omitted"),
    ([0, 1, 5], {}, "omitted"),
    ([0, 3, 5], {}, "omitted"),
    ([1, 3, 5], {}, "rules"),
    ([0, 1, 3, 5], {"rules_at": 2}, "rules"),
    ([0, 1, 3, 5], {"rules_at": 0}, "rules"),
    ([0, 1, 3, 5], {"logs": ["KZ-a", "KZ-b"]}, "omitted"),
    ([0, 1, 3, 5], {"v": 2}, "malformed"),
    ([0, 1, 3, 5], {"sequence": 9}, "malformed"),
    ([0, 1, 3, 5], {"sequence": 0}, "malformed"),
    ([0, 1, 3, 5], {"sequence": "5"}, "malformed"),
    ([0, 1, 3, 5], {"sequence": 6}, "sequence"),
    ([0, 1, 3, 5], {"logs": [["KZ-a"]]}, "malformed"),
    ([0, 3, 1, 5], {}, "malformed"),
    ([0, 1, 1, 3, 5], {}, "malformed"),
])  # fmt: skip
def test_a_log_is_shown_whole_or_not_at_all(signer, places, said, code):
    assert judged(signer, shown_of(signer, a_ledger(), places, **said)) == code


@pytest.mark.parametrize("how", ["no zip", "compressed", "a file more", "another order", "cut off"])
def test_another_form_of_the_file_is_refused(leaves, tree, signer, how):
    raw = shown_of(signer, a_ledger(), [0, 1, 3, 5])
    parts = {name: zipfile.ZipFile(io.BytesIO(raw)).read(name) for name in FILES}
    whole = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if how == "compressed" else zipfile.ZIP_STORED
    with zipfile.ZipFile(whole, "w", method) as file:
        for name in reversed(FILES) if how == "another order" else FILES:
            file.writestr(name, parts[name])
        if how == "a file more":
            file.writestr("more", b"")
    bad = {"no zip": b"PK", "cut off": raw[:-9]}.get(how, whole.getvalue())
    assert (judged(signer, raw), judged(signer, bad)) == ("", "malformed")


def test_what_a_log_holds_is_what_was_chained_even_where_the_tree_says_otherwise(signer):
    """The head is signed over each of these: only the bodies and chains can tell."""
    events, places = a_ledger(), [0, 1, 3, 5]
    assert judged(signer, shown_of(signer, events, places)) == ""
    one, leaf = events[3], Leaf.decode(events[3].leaf)
    for code, changed in {
        "leaf": one._replace(leaf=one.leaf + b"\t"),
        "omitted": one._replace(leaf=replace(leaf, position=3).encode()),
        "bodies": one._replace(body=None),
        "body": one._replace(body=b'{"at":4}'),
        "chain": one._replace(leaf=replace(leaf, chain=bytes(32)).encode()),
    }.items():
        raw = shown_of(signer, [*events[:3], changed, *events[4:]], places)
        assert judged(signer, raw) == code


def test_every_altered_hash_of_a_proof_is_refused(signer):
    bundle = opened(shown_of(signer, a_ledger(), [0, 1, 3, 5]))
    for at, one in enumerate(bundle.proof):
        for changed in ([leaf_hash(one)], [], [one, one]):
            proof = (*bundle.proof[:at], *changed, *bundle.proof[at + 1 :])
            assert judged(signer, replace(bundle, proof=proof).write()) == "inclusion"


def test_a_fork_is_an_alarm_before_the_bundle_is_read_further(signer):
    """A signed head that contradicts the one that was seen accuses the log, whatever is wrong."""
    events = a_ledger()
    seen = Checkpoint(signer.key.name, 8, bytes(32))
    trust = Trust((signer.key,), signer.key.name, seen=seen)
    with pytest.raises(ProofError) as caught:
        prove(io.BytesIO(shown_of(signer, events, [0, 1], v=7)), trust)
    assert caught.value.code == "fork"


@pytest.mark.parametrize("said", ["B\n  52 figures are the sums of these events", "\x1b[2J", "\r"])
def test_what_a_bundle_says_of_itself_cannot_speak_for_the_verifier(
    said, signer, tmp_path, capsysbinary
):
    """The question is not signed: it is shown on its own line, whatever it is made of."""
    path = tmp_path / "bundle.zip"
    path.write_bytes(shown_of(signer, a_ledger(), [0, 1, 3, 5], question={"budget": said}))
    assert main(["bundle", str(path), "--key", signer.key.text]) == 0
    told = capsysbinary.readouterr().out
    assert b"\n  52" not in told
    assert b"\x1b" not in told
    assert told.count(b"\n") == 5
