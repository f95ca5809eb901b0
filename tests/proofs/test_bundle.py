"""The pieces of a bundle: one proof for many leaves, equal bytes, sums as the domain has them."""

import ast
import io
import json
import sys
import tokenize
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ledger.instruments  # noqa: F401 - fills the registry of events
from ledger.events import EVENTS, decode
from ledger.proofs import bundle as module
from ledger.proofs import single, sums
from ledger.proofs.bundle import NAMES, Bundle, Shown, gaps, root_with
from ledger.proofs.leaf import Leaf
from ledger.proofs.merkle import Tree, inclusion_proof, root_of, subtree_hash
from ledger.proofs.notes import write_checkpoint
from ledger.proofs.sums import ADDS, Sums, amount_text
from ledger.proofs.verify import Checkpoint, ProofError, leaf_hash
from projections.budget_execution.figures import Figures
from projections.budget_execution.fold import SUMMED
from projections.budget_execution.folded import select
from tests.golden.golden import FOLDER, stored

ROOT = Path(__file__).parents[2]


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
    assert Bundle.read(io.BytesIO(raw)) == bundle
    assert Bundle.read(io.BytesIO(raw)).write() == raw


@pytest.mark.parametrize("how", ["no zip", "compressed", "a file more", "another order", "cut off"])
def test_another_form_of_the_file_is_refused(leaves, tree, signer, how):
    raw = a_bundle(leaves, tree, signer).write()
    parts = {name: zipfile.ZipFile(io.BytesIO(raw)).read(name) for name in NAMES}
    whole = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if how == "compressed" else zipfile.ZIP_STORED
    with zipfile.ZipFile(whole, "w", method) as file:
        for name in reversed(NAMES) if how == "another order" else NAMES:
            file.writestr(name, parts[name])
        if how == "a file more":
            file.writestr("more", b"")
    bad = {"no zip": b"PK", "cut off": raw[:-9]}.get(how, whole.getvalue())
    with pytest.raises(ProofError) as caught:
        Bundle.read(io.BytesIO(bad))
    assert caught.value.code == "malformed"


def test_the_sums_know_exactly_the_kinds_that_change_a_line():
    assert set(ADDS) == SUMMED


@pytest.mark.parametrize("kind", sorted(SUMMED))
def test_the_second_reading_of_an_event_is_the_domains(kind):
    """Every golden body, and its contra line: the sums of the body are those of `movement()`."""
    for path in FOLDER.glob(f"{kind}.v*.json"):
        plain = json.loads(stored(path))
        for state in (plain, {**plain, "contra": True}):
            if "contra" in state and "contra" not in EVENTS[kind].__dataclass_fields__:
                continue
            raw = json.dumps(state).encode()
            event, day = decode(raw, "KZ-2025-x", 1), "2025-12-31"
            found = select([(event, raw)], 1, date.max, None)
            own = Sums()
            own.add(state)
            [(line, figures)] = own.lines("9999-12-31", None).items()
            assert found.lines == {line: Figures(**{name: figures[name] for name in sums.FIGURES})}
            assert own.lines("2000-01-01", None) == own.lines(day, "2000-01-01") == {}


@pytest.mark.parametrize(("minor", "digits", "text"), [
    (0, 2, "0.00"), (-5, 2, "-0.05"), (123456, 2, "1234.56"), (-7, 0, "-7"), (7, 3, "0.007"),
])  # fmt: skip
def test_amounts_are_written_as_the_ledger_writes_them(minor, digits, text):
    assert amount_text(minor, digits) == text


def test_a_version_that_is_not_known_is_no_sum():
    with pytest.raises(ProofError, match="version"):
        Sums().add({"kind": "budget.line.approved", "class_version": 2})


def test_the_bundles_verifier_imports_the_verifier_and_the_standard_library_only():
    for path in (module.__file__, sums.__file__, single.__file__):
        for node in ast.walk(ast.parse(Path(path).read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                known = name.split(".")[0] in sys.stdlib_module_names
                assert known or name.startswith("ledger.proofs."), name
                assert name.split(".")[0] not in {"socket", "urllib", "http", "ssl", "subprocess"}


def lines_of_code(path: Path) -> int:
    """Lines that hold code: no comments, no docstrings, nothing blank."""
    text, found = path.read_text("utf-8"), set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT,
                              tokenize.DEDENT, tokenize.ENDMARKER}:  # fmt: skip
            found.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found -= set(range(node.lineno, node.end_lineno + 1))
    return len(found)


def test_the_verifier_stays_small_enough_to_be_read():
    """Hashes, signatures and proofs in one file under 500 lines, all told; sums beside it."""
    verify, *beside = (ROOT / name for name in single.MODULES if not name.endswith("__.py"))
    assert len(verify.read_text("utf-8").splitlines()) < 500
    assert lines_of_code(verify) <= 350
    assert sum(map(lines_of_code, (verify, *beside))) <= 690


def test_equal_sources_make_an_equal_single_file(tmp_path):
    for name in ("a", "b"):
        single.write_single(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_tree_of_shown_leaves_only_needs_no_hash(leaves):
    some = {at: leaf_hash(leaf) for at, leaf in enumerate(leaves[:5])}
    assert list(gaps(range(5), 5)) == []
    assert root_with(some, 5, []) == Tree(leaves[:5]).root
    assert Leaf.decode(leaves[0]).position == 1
