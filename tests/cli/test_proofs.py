"""`qazyna checkpoint`, `proof`, `consistency`, `keys`: evidence to take along."""

import shutil
from pathlib import Path

import pytest

from ledger.proofs.notes import PRIVATE
from ledger.proofs.verify import CONSISTENCY, INCLUSION, Note, main, read_proof
from tests.cli.program import BUDGET, cli


@pytest.fixture(scope="module")
def vkey(home: Path) -> str:
    """The notary's public key, as the executable shows it."""
    shown = cli("keys", "show", "--home", home, "--json").json
    [key] = shown["keys"]
    assert key["signs"]
    assert key["vkey"].startswith(f"{shown['origin']}+{key['id']}+")
    return key["vkey"]


@pytest.fixture
def key_file(home: Path, tmp_path: Path) -> Path:
    """A copy of the key and of the checkpoint beside it."""
    for name in ("notary.key", "notary.key.checkpoint"):
        shutil.copy(home / name, tmp_path / name)
    return tmp_path / "notary.key"


@pytest.mark.parametrize("event", [f"{BUDGET}:1", "1"])
def test_a_proof_of_an_event_is_verified_without_the_ledger(home, tmp_path, vkey, event):
    paper = tmp_path / "event.tlog-proof"
    assert cli("proof", event, "--home", home, "--out", paper).code == 0
    assert main(["proof", str(paper), "--key", vkey]) == 0
    shown = cli("proof", event, "--home", home, "--json").json
    assert shown["leaf"].encode() == read_proof(paper.read_bytes(), INCLUSION)[3]


def test_the_checkpoint_is_written_as_it_was_signed(home, tmp_path, vkey):
    paper, size = tmp_path / "checkpoint", cli("checkpoint", "--home", home, "--json").json["size"]
    assert cli("checkpoint", "--home", home, "--out", paper).code == 0
    assert main(["checkpoint", str(paper), "--key", vkey]) == 0
    again = cli("checkpoint", "--size", size, "--home", home)
    assert again.out.encode() == paper.read_bytes()


def test_two_trees_are_joined_by_a_file_for_the_verifier(home, tmp_path, vkey):
    told = cli("consistency", 1, "--home", home)
    old_size, *_ = read_proof(told.out.encode(), CONSISTENCY)
    assert (told.code, old_size) == (0, 1)
    assert cli("consistency", 1, "--home", home, "--json").json["old"] == 1


@pytest.mark.parametrize(("arguments", "code"), [
    (("proof", "nothing"), 2), (("proof", "99999"), 2), (("proof", f"{BUDGET}:99999"), 2),
    (("checkpoint", "--size", "99999"), 2), (("consistency", "99999"), 2),
])  # fmt: skip
def test_what_cannot_be_proven_says_so(home, arguments, code):
    ended = cli(*arguments, "--home", home)
    assert ended.code == code
    assert ended.err
    assert not ended.out


def test_a_key_is_rotated_and_retired_and_never_shown(home, key_file, vkey):
    asked = {"QAZYNA_NOTARY_KEY": str(key_file)}
    rotated = cli("keys", "rotate", "--home", home, "--json", **asked)
    shown = cli("keys", "show", "--home", home, "--json", **asked)
    assert [key["signs"] for key in shown.json["keys"]] == [True, True]
    old, new = shown.json["keys"]
    assert (old["vkey"], new["vkey"]) == (vkey, rotated.json["key"])
    retired = cli("keys", "retire", old["id"], "--home", home, **asked)
    again = cli("keys", "retire", new["id"], "--home", home, **asked)
    told = cli("keys", "show", "--home", home, **asked)
    assert (retired.code, again.code) == (0, 5)
    assert [line.split()[0] for line in told.out.splitlines()] == ["retired", "signs", "last"]
    for ended in (rotated, shown, retired, again, told):
        assert PRIVATE not in ended.out + ended.err
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_check_and_the_notary_refuse_without_the_last_checkpoint_until_it_is_accepted(
    home, key_file, vkey
):
    kept, asked = key_file.with_name("notary.key.checkpoint"), {"QAZYNA_NOTARY_KEY": str(key_file)}
    signed = Note.parse(kept.read_bytes()).text
    kept.unlink()
    found = cli("check", "--home", home, "--json", **asked)
    assert (found.code, [one["code"] for one in found.json["findings"]]) == (1, ["kept-missing"])
    assert cli("keys", "accept", "--home", home, **asked).code == 0
    assert Note.parse(kept.read_bytes()).text == signed
    assert cli("check", "--home", home, "--json", **asked).json == {"ok": True, "findings": []}
    assert cli("keys", "accept", "--home", home, **asked).code == 5


def test_a_lost_key_is_made_anew_only_when_asked(home, key_file, vkey):
    asked = {"QAZYNA_NOTARY_KEY": str(key_file)}
    assert cli("keys", "new", "--home", home, **asked).code == 5
    key_file.unlink()
    told = cli("keys", "new", "--home", home, "--json", **asked)
    assert told.code == 0
    assert told.json["key"] != vkey
    assert told.json["key"].split("+")[0] == vkey.split("+", maxsplit=1)[0]
