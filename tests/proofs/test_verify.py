"""The verifier as a person runs it: files in, a verdict and an exit code out."""

import ast
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.proofs import verify
from ledger.proofs.leaf import Leaf
from ledger.proofs.merkle import Tree, consistency_proof, inclusion_proof, root_of
from ledger.proofs.notes import (
    Signer,
    add_signatures,
    write_checkpoint,
    write_consistency,
    write_inclusion,
)
from ledger.proofs.verify import (
    CONSISTENCY,
    EMPTY_ROOT,
    INCLUSION,
    Checkpoint,
    ProofError,
    read_proof,
)

SOURCE = Path(verify.__file__)
ROOT = SOURCE.parents[2]


class Auditor:
    """A folder, a trusted key, and a log that can be asked for any paper."""

    def __init__(self, folder, tree, leaves, signer, capsys):
        self.folder, self.tree, self.leaves, self.signer = folder, tree, leaves, signer
        self.capsys = capsys
        self.state = folder / "state"

    def head(self, size, root=None):
        root = root_of(size, self.tree) if root is None else root
        return write_checkpoint(Checkpoint(self.signer.key.name, size, root), [self.signer])

    def paper(self, name, raw):
        path = self.folder / name
        path.write_bytes(raw)
        return str(path)

    def consistency(self, old, new, hashes=None):
        hashes = consistency_proof(old, new, self.tree) if hashes is None else hashes
        return self.paper("grown", write_consistency(old, hashes, self.head(new)))

    def proof(self, index, size, extra=None):
        extra = self.leaves[index] if extra is None else extra
        hashes = inclusion_proof(index, size, self.tree)
        return write_inclusion(index, hashes, self.head(size), extra)

    def run(self, what, raw, *options, state=True):
        path = self.paper("paper", raw)
        arguments = [what, path, "--key", self.signer.key.text, *options]
        code = verify.main([*arguments, *(["--state", str(self.state)] if state else [])])
        said = self.capsys.readouterr()
        return code, said.out + said.err


@pytest.fixture
def auditor(tmp_path, tree, leaves, signer, capsys):
    return Auditor(tmp_path, tree, leaves, signer, capsys)


def test_growth_is_followed_and_remembered(auditor):
    code, said = auditor.run("checkpoint", auditor.head(700))
    assert (code, "nothing to compare" in said) == (0, True)
    assert auditor.state.read_bytes() == auditor.head(700)
    assert auditor.run("checkpoint", auditor.head(700))[0] == 0
    code, said = auditor.run(
        "checkpoint", auditor.head(1900), "--consistency", auditor.consistency(700, 1900)
    )
    assert (code, "as remembered at 700" in said) == (0, True)
    assert auditor.state.read_bytes() == auditor.head(1900)


def test_growth_without_its_proof_is_not_believed(auditor):
    auditor.run("checkpoint", auditor.head(700))
    for papers in ([], ["--consistency", auditor.consistency(699, 1900)]):
        code, said = auditor.run("checkpoint", auditor.head(1900), *papers)
        assert (code, "unproven" in said) == (1, True)
    assert auditor.state.read_bytes() == auditor.head(700)


def test_a_fork_is_an_alarm_with_both_heads_as_evidence(auditor):
    auditor.run("checkpoint", auditor.head(700))
    other = auditor.head(700, hashlib.sha256(b"another history").digest())
    code, said = auditor.run("checkpoint", other)
    assert (code, "ALARM (fork)" in said) == (3, True)
    assert auditor.head(700).decode() in said
    assert auditor.state.read_bytes() == auditor.head(700)


def test_a_rewritten_past_is_an_alarm(auditor, leaves):
    """The whole log rebuilt with one leaf changed: no proof joins it to what was seen."""
    auditor.run("checkpoint", auditor.head(700))
    auditor.tree = Tree([*leaves[:5], b"rewritten", *leaves[6:1900]])
    code, said = auditor.run(
        "checkpoint", auditor.head(1900), "--consistency", auditor.consistency(700, 1900)
    )
    assert (code, "ALARM (inconsistent)" in said) == (3, True)


def test_a_shrunken_tree_is_an_alarm(auditor):
    auditor.run("checkpoint", auditor.head(700))
    code, said = auditor.run("checkpoint", auditor.head(699))
    assert (code, "ALARM (shrunk)" in said) == (3, True)


@pytest.mark.parametrize("seen", [False, True])
def test_an_empty_tree_is_an_alarm(auditor, seen):
    if seen:
        auditor.run("checkpoint", auditor.head(700))
    code, said = auditor.run("checkpoint", auditor.head(0, EMPTY_ROOT))
    assert (code, "ALARM (empty)" in said) == (3, True)


def test_an_event_is_proven_from_one_file(auditor):
    code, said = auditor.run("proof", auditor.proof(41, 700))
    assert code == 0
    assert "event 42 of 700" in said
    assert 'log: "KZ-2025-oblast-1"' in said
    assert auditor.state.read_bytes() == auditor.head(700)


def test_a_proof_older_than_the_memory_is_joined_to_it_and_changes_nothing(auditor):
    auditor.run("checkpoint", auditor.head(1900))
    assert auditor.run("proof", auditor.proof(41, 700))[0] == 1
    code, _ = auditor.run(
        "proof", auditor.proof(41, 700), "--consistency", auditor.consistency(700, 1900)
    )
    assert code == 0
    assert auditor.state.read_bytes() == auditor.head(1900)


def test_a_proof_in_another_tree_of_the_same_size_is_an_alarm(auditor, leaves):
    auditor.run("checkpoint", auditor.head(700))
    auditor.tree = Tree([*leaves[:5], b"rewritten", *leaves[6:700]])
    code, said = auditor.run("proof", auditor.proof(41, 700))
    assert (code, "ALARM (fork)" in said) == (3, True)


def test_the_log_is_accused_even_where_the_paper_itself_proves_nothing(auditor, leaves):
    """Two signed heads are evidence, whatever else is wrong with the file."""
    auditor.run("checkpoint", auditor.head(700))
    auditor.tree = Tree([*leaves[:5], b"rewritten", *leaves[6:700]])
    code, said = auditor.run("proof", auditor.proof(41, 700, leaves[42]))
    assert (code, "ALARM (fork)" in said) == (3, True)
    assert auditor.head(700, root_of(700, Tree(leaves[:700]))).decode() in said


def test_a_body_is_compared_with_the_proven_hash(auditor):
    body = auditor.paper("body", b"body 41")
    assert "body was compared" in auditor.run("proof", auditor.proof(41, 700), "--body", body)[1]
    wrong = auditor.paper("body", b"body 42")
    code, said = auditor.run("proof", auditor.proof(41, 700), "--body", wrong)
    assert (code, "NOT VERIFIED (body)" in said) == (1, True)


def test_a_leaf_may_come_beside_the_proof(auditor, leaves):
    raw = auditor.proof(41, 700, b"")
    assert auditor.run("proof", raw)[0] == 1
    assert auditor.run("proof", raw, "--leaf", auditor.paper("leaf", leaves[41]))[0] == 0
    assert auditor.run("proof", raw, "--leaf", auditor.paper("leaf", leaves[42]))[0] == 1
    assert auditor.run("proof", auditor.proof(41, 700, b"no envelope"))[0] == 1


def test_each_flipped_bit_of_a_proof_file_is_refused(auditor):
    """Header, leaf, index, hashes, checkpoint: no bit of the file is without effect."""
    raw = auditor.proof(5, 6)
    assert auditor.run("proof", raw, state=False)[0] == 0
    trust = verify.Trust((auditor.signer.key,), auditor.signer.key.name)
    for bit in range(len(raw) * 8):
        bad = bytearray(raw)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProofError):
            _prove(bytes(bad), trust)


def _prove(raw, trust):
    index, hashes, note, leaf = read_proof(raw, INCLUSION)
    head = trust.open(note)
    verify.verify_inclusion(index, head.size, verify.leaf_hash(leaf), hashes, head.root)


def test_each_flipped_bit_of_a_consistency_file_is_refused(auditor):
    """Up to the signatures, which are those of the checkpoint that was opened before."""
    old, new = (verify.Trust((auditor.signer.key,), auditor.signer.key.name).open(
        auditor.head(size)) for size in (5, 7))  # fmt: skip
    raw = Path(auditor.consistency(5, 7)).read_bytes()
    verify.join(old, new, read_proof(raw, CONSISTENCY))
    for bit in range(raw.rindex(b"\n\n") * 8):
        bad = bytearray(raw)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProofError):
            verify.join(old, new, read_proof(bytes(bad), CONSISTENCY))


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b"@v1", b"@v2"),
        lambda raw: raw.replace(b"index 41", b"index 041"),
        lambda raw: raw.replace(b"index 41", b"index -1"),
        lambda raw: raw.replace(b"index 41", b"index 42"),
        lambda raw: raw.replace(b"index 41\n", b""),
        lambda raw: raw.replace(b"extra ", b"extra  "),
        lambda raw: raw.replace(b"\n\n", b"\n", 1),
        lambda raw: raw.replace(b"\n\n", b"\n\n\n", 1),
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: b"",
    ],
)
def test_a_malformed_proof_file_is_refused(auditor, change):
    assert auditor.run("proof", change(auditor.proof(41, 700)), state=False)[0] == 1


@pytest.mark.parametrize(("size", "index", "place", "claimed"), [
    (2, 1, 0, 1),  # a tree of one leaf, a path of two
    (4, 3, 3, 2),  # an index beyond the tree
    (4, 3, 1, 2),
])  # fmt: skip
def test_a_true_path_of_another_place_or_tree_is_refused(leaves, size, index, place, claimed):
    """The root is reached; what was said of index and size is not what was proven."""
    tree = Tree(leaves[:size])
    proof, leaf = inclusion_proof(index, size, tree), verify.leaf_hash(leaves[index])
    verify.verify_inclusion(index, size, leaf, proof, tree.root)
    with pytest.raises(ProofError) as caught:
        verify.verify_inclusion(place, claimed, leaf, proof, tree.root)
    assert caught.value.code == "inclusion"


def test_hashes_of_another_length_are_refused_even_where_they_lead_to_the_root(leaves):
    """Two neighbours cut elsewhere are hashed to the same node: only their length tells."""
    tree = Tree(leaves[:3])
    left, right, third = (verify.leaf_hash(leaf) for leaf in leaves[:3])
    moved = left[:31], left[31:] + right
    assert verify.node_hash(*moved) == verify.node_hash(left, right)
    with pytest.raises(ProofError, match="32 bytes"):
        verify.verify_inclusion(0, 3, moved[0], [moved[1], third], tree.root)
    with pytest.raises(ProofError, match="32 bytes"):
        verify.verify_consistency(1, 3, moved[0], tree.root, [moved[1], third])
    with pytest.raises(ProofError):
        verify.root_with({2: third}, 3, [tree.root[:31]])


def test_the_published_form_of_a_proof_file():
    """tlog-proof, Format: header, extra, index, hashes, empty line, checkpoint verbatim."""
    raw = write_inclusion(10, [bytes(32)], b"checkpoint\n", b"extra information")
    assert raw == (
        b"c2sp.org/tlog-proof@v1\nextra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 10\n"
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\ncheckpoint\n"
    )
    assert read_proof(raw, INCLUSION) == (
        10, (bytes(32),), b"checkpoint\n", b"extra information"
    )  # fmt: skip
    assert write_inclusion(0, [], b"c\n") == b"c2sp.org/tlog-proof@v1\nindex 0\n\nc\n"


def test_witnesses_are_demanded_by_quorum(auditor, witnesses):
    lines = [one.cosign(Checkpoint.parse(auditor.head(9).split(b"\n\n")[0] + b"\n").text, 77)
             for one in witnesses]  # fmt: skip
    options = [part for one in witnesses for part in ("--witness", one.key.text)]
    code, said = auditor.run("checkpoint", auditor.head(9), *options, "--quorum", "2")
    assert (code, "quorum" in said) == (1, True)
    raw = add_signatures(auditor.head(9), lines)
    code, said = auditor.run("checkpoint", raw, *options, "--quorum", "2")
    assert (code, said.count("cosigned by")) == (0, 2)


def test_a_disk_that_is_full_leaves_the_state_as_it_was(auditor, monkeypatch):
    assert auditor.run("checkpoint", auditor.head(700))[0] == 0
    auditor.state.with_name("state.new").symlink_to("/dev/full")
    code, said = auditor.run(
        "checkpoint", auditor.head(1900), "--consistency", auditor.consistency(700, 1900)
    )
    assert (code, "NOT VERIFIED (file)" in said) == (1, True)
    assert auditor.state.read_bytes() == auditor.head(700)


def test_a_proof_file_with_a_hash_of_another_length_accuses_nobody(auditor):
    assert auditor.run("checkpoint", auditor.head(700))[0] == 0
    path = Path(auditor.consistency(700, 1900))
    first, _, *rest = path.read_text().split("\n")
    path.write_text("\n".join([first, "AAAA", *rest]))
    code, said = auditor.run("checkpoint", auditor.head(1900), "--consistency", str(path))
    assert (code, "NOT VERIFIED (malformed)" in said) == (1, True)


def test_a_state_that_was_tampered_with_is_noticed(auditor):
    auditor.run("checkpoint", auditor.head(700))
    auditor.state.write_bytes(auditor.state.read_bytes().replace(b"\n700\n", b"\n600\n"))
    assert auditor.run("checkpoint", auditor.head(700))[0] == 1


def test_a_stranger_or_a_missing_file_verifies_nothing(auditor, capsys):
    other = Signer("ledger.example/kz", b"\x05" * 32)
    path = auditor.paper("paper", auditor.head(700))
    assert verify.main(["checkpoint", path, "--key", other.key.text]) == 1
    assert verify.main(["checkpoint", path, "--key", "nonsense"]) == 1
    assert verify.main(["checkpoint", path + ".gone", "--key", auditor.signer.key.text]) == 1
    assert verify.main(["checkpoint", path, "--key", auditor.signer.key.text, "--origin", "x"]) == 1
    assert capsys.readouterr().err.count("NOT VERIFIED") == 4


def test_one_copied_file_is_enough(auditor, tmp_path):
    """A laptop with Python and `cryptography`: no ledger, no package, no network."""
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(SOURCE, alone / "verify.py")
    papers = {
        "proof": (auditor.proof(41, 700), "OK event 42 of 700"),
        "checkpoint": (auditor.head(700), "OK checkpoint in ledger.example/kz at size 700"),
    }
    for where, program in ((alone, ["-I", "verify.py"]), (ROOT, ["-m", "ledger.proofs.verify"])):
        for what, (raw, told) in papers.items():
            run = subprocess.run(
                [sys.executable, *program, what, auditor.paper(f"a.{what}", raw),
                 "--key", auditor.signer.key.text, "--state", tmp_path / f"seen by {where.name}"],
                cwd=where, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert (run.returncode, run.stderr) == (0, "")
            assert run.stdout.startswith(told)
    assert [one.name for one in alone.iterdir()] == ["verify.py"]


def test_the_verifier_is_short_and_imports_little():
    """All of it, comments and blank lines too, is read in an evening: under 500 lines."""
    text = SOURCE.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 500
    assert max(map(len, text.splitlines())) <= 100
    nodes = [*ast.walk(ast.parse(text))]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import)
                for alias in node.names}  # fmt: skip
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module)
        assert not (isinstance(node, ast.Name) and node.id in {"__import__", "eval", "exec"})
    packages = {name.split(".")[0] for name in imported}
    assert packages - sys.stdlib_module_names == {"cryptography"}
    assert not packages & {"socket", "urllib", "http", "ssl", "subprocess", "importlib", "ctypes"}


def test_the_proof_of_an_event_carries_its_envelope(auditor):
    assert Leaf.decode(read_proof(auditor.proof(41, 700), INCLUSION)[3]).position == 3
