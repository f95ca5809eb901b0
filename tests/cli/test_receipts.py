"""`qazyna post --receipt`, `qazyna receipt verify` and `redeem`, on the real executable."""

import base64
from pathlib import Path

import pytest

from ledger.proofs.leaf import Leaf
from ledger.proofs.merkle import Tree, inclusion_proof
from ledger.proofs.notes import Signer, write_checkpoint, write_inclusion
from ledger.proofs.receipts import Receipt, split_receipts
from ledger.proofs.verify import Checkpoint, Key
from tests.cli.program import BUDGET, cli, ndjson, payment


@pytest.fixture(scope="module")
def posted(mine: Path, tmp_path_factory) -> Path:
    """Receipts of an accepted and a refused payment."""
    file = tmp_path_factory.mktemp("receipts") / "receipts"
    ended = cli("post", "--home", mine, "--receipt", file, "--json",
                stdin=ndjson([payment(9001, "0.01"), payment(9002, "99999.00")]))  # fmt: skip
    assert ended.code == 1, ended
    assert [one["status"] for one in ended.json] == ["accepted", 409]
    assert not any("receipt" in one for one in ended.json)
    return file


def keys(mine: Path) -> tuple[str, str]:
    """The verifier keys of the receipts and of the log, as their files have them."""
    return tuple(Signer.parse((mine / name).read_text().split()[0]).key.text
                 for name in ("receipts.key", "notary.key"))  # fmt: skip


def test_receipts_are_verified_without_the_service(mine: Path, posted: Path):
    key, _ = keys(mine)
    told = cli("receipt", "verify", posted, "--key", key)
    assert told.code == 0, told
    assert f"OK accepted {BUDGET}:" in told.out
    assert "limit-exceeded" in told.out
    assert "available" in told.out
    as_json = cli("receipt", "verify", posted, "--key", key, "--json").json
    assert [one["answer"]["status"] for one in as_json] == ["accepted", "refused"]


def test_posting_again_gives_receipts_of_equal_answers(mine: Path, posted: Path, tmp_path: Path):
    again = tmp_path / "again"
    ended = cli("post", "--home", mine, "--receipt", again, "--json",
                stdin=ndjson([payment(9001, "0.01"), payment(9002, "99999.00")]))  # fmt: skip
    assert [one["replayed"] for one in ended.json] == [True, True]
    known = [Key.parse(keys(mine)[0])]
    leaves = [[Receipt.open(raw, known).leaf for raw in split_receipts(file.read_bytes())]
              for file in (posted, again)]  # fmt: skip
    assert leaves[0] == leaves[1]


def test_an_altered_receipt_or_a_strange_key_is_refused(mine: Path, posted: Path, tmp_path: Path):
    key, log_key = keys(mine)
    raw = posted.read_text()
    line = next(text for text in raw.splitlines() if text.startswith("extra "))
    answer = base64.b64decode(line[6:]).replace(b'"accepted"', b'"refused"')
    forged = tmp_path / "forged"
    forged.write_text(raw.replace(line, f"extra {base64.b64encode(answer).decode()}"))
    for file, given in ((forged, key), (posted, log_key), (Path("/dev/null"), key)):
        ended = cli("receipt", "verify", file, "--key", given)
        assert (ended.code, "NOT VERIFIED" in ended.err) == (1, True), ended


def test_receipts_are_redeemed_for_proofs(mine: Path, posted: Path, tmp_path: Path):
    key, log_key = keys(mine)
    ended = cli("receipt", "redeem", posted, "--key", key, "--log-key", log_key, "--home", mine,
                "--out", tmp_path)  # fmt: skip
    assert ended.code == 0, ended
    assert len(list(tmp_path.glob("*.tlog-proof"))) == 2


def test_a_broken_promise_convicts_the_service(mine: Path, posted: Path, tmp_path: Path):
    """A service whose log holds another event than the one it answered, caught by a client."""
    from http.server import BaseHTTPRequestHandler, HTTPServer  # noqa: PLC0415
    from threading import Thread  # noqa: PLC0415

    key, log_key = keys(mine)
    signer = Signer.parse((mine / "notary.key").read_text().split()[0])
    [first, _] = split_receipts(posted.read_bytes())
    promised = Receipt.open(first, [Key.parse(key)]).envelope
    other = Leaf(**{**vars(promised), "body": bytes(32)}).encode()
    tree = Tree([b"a", other])
    note = write_checkpoint(Checkpoint(signer.key.name, 2, tree.root), [signer])
    paper = write_inclusion(1, inclusion_proof(1, 2, tree), note, other)

    class Liar(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(paper)

        def log_message(self, *_):
            pass

    (tmp_path / "one").write_bytes(first)
    with HTTPServer(("127.0.0.1", 0), Liar) as liar:
        Thread(target=liar.handle_request, daemon=True).start()
        ended = cli("receipt", "redeem", tmp_path / "one", "--key", key, "--log-key", log_key,
                    "--url", f"http://127.0.0.1:{liar.server_port}", "--out", tmp_path)  # fmt: skip
    assert (ended.code, "ALARM (broken-promise)" in ended.err) == (3, True), ended
    assert "Keep" in ended.err
