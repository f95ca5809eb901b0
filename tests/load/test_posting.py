"""How the loader posts: batches, atomic loads, and what it asks again after a refusal.

The door here answers from a script: these are rules of the loader, not of the ledger.
"""

from pathlib import Path

import pytest

from api.load import load

ROOT = Path(__file__).parents[2]


class Scripted:
    """Refuses the commands it is told to, remembers ids, and says `replayed` for known ones."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.answers: dict[str, dict] = {}
        self.batches: list[tuple[int, bool]] = []
        self.adopted: list[str] = []

    async def adopt(self, jurisdiction: str) -> None:
        self.adopted.append(jurisdiction)

    async def submit(self, documents, *, atomic):
        self.batches.append((len(documents), atomic))
        return [self._answer(document) for document in documents]

    def _answer(self, document: dict) -> dict:
        ident = document["command_id"]
        if ident in self.answers:
            return {**self.answers[ident], "replayed": True}
        status = "refused" if document["command"] in self.refused else "accepted"
        self.answers[ident] = {"status": status, "refusal": {"code": "no", "message": "no"}}
        return {**self.answers[ident], "replayed": False}


@pytest.fixture
def oblast(mapping):
    folder = ROOT / "deploy" / "data" / "kz-almaty-oblast-budget-2025"
    files = [folder / "versions.csv", folder / "district_transfers_2025.csv"]
    return mapping("kz-almaty-oblast-2025"), files


async def test_a_second_load_is_replayed(oblast) -> None:
    door = Scripted()
    first, second = [await load(*oblast, door) for _ in range(2)]
    assert (first.commands, first.accepted, first.replayed) == (28, 28, 0)
    assert (second.commands, second.accepted, second.replayed) == (28, 0, 28)
    assert first.ok
    assert second.ok
    assert door.adopted == ["kz", "kz"]


async def test_a_refusal_is_reported_with_its_place(oblast) -> None:
    report = await load(*oblast, Scripted("AmendBudget"))
    assert [(r.place, r.command, r.code) for r in report.refused] == [
        ("versions.csv:3", "AmendBudget", "no"), ("versions.csv:4", "AmendBudget", "no"),
    ]  # fmt: skip
    assert not report.ok


async def test_a_refused_row_gets_a_new_id_only_when_asked_to_try_again(oblast) -> None:
    door = Scripted("AmendBudget")
    await load(*oblast, door)
    door.refused = ()
    assert len((await load(*oblast, door)).refused) == 2
    assert len(door.answers) == 28
    again = await load(*oblast, door, retry=True)
    assert (again.accepted, again.replayed, again.refused) == (2, 26, [])
    assert len(door.answers) == 30
    third = await load(*oblast, door, retry=True)
    assert (third.accepted, third.replayed) == (0, 28)
    assert len(door.answers) == 30


async def test_a_row_refused_again_is_asked_once_a_load(oblast) -> None:
    door = Scripted("AmendBudget")
    for count in (28, 30, 32):
        report = await load(*oblast, door, retry=True)
        assert (len(report.refused), len(door.answers)) == (2, count)


async def test_atomic_is_one_submission_and_nothing_with_a_bad_row(oblast, tmp_path: Path) -> None:
    mapping, files = oblast
    door = Scripted()
    await load(mapping, files, door, atomic=True)
    assert door.batches == [(28, True)]
    broken = tmp_path / "versions.csv"
    text = files[0].read_text(encoding="utf-8")
    broken.write_text(text.replace("832575196", "x"), encoding="utf-8")
    report = await load(mapping, [broken, files[1]], door, atomic=True)
    assert [(b.line, b.column) for b in report.bad_rows] == [(3, "revenues")]
    assert len(door.batches) == 1


async def test_progress_ends_at_the_total(oblast) -> None:
    seen = []
    await load(*oblast, Scripted(), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (28, 28)
    assert seen == sorted(seen)
