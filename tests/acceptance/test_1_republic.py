"""Acceptance 1: the republican budget of 2025 (thousand tenge), asked of the real doors."""

import sys
import time
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal

import pytest

from tests.acceptance.book import (
    Book,
    Question,
    assert_rebuilt_alike,
    assert_replayed_alike,
    thousand,
)

REPUBLIC, OBLAST = "KZ-2025-republic", "KZ-2025-oblast-19"
COMMANDS = 44


@pytest.fixture(scope="module")
async def book(new_book) -> AsyncIterator[Book]:
    async with new_book("kz", "2025-01-03") as book:
        started = time.perf_counter()
        book.noted["report"] = await book.load("kz-republic-2025")
        book.noted["seconds"] = time.perf_counter() - started
        yield book


async def balance(book: Book, measure: str) -> dict[str, Decimal]:
    found = await book.ask(f"budgets/{REPUBLIC}/execution", effective="2025-01-01")
    return {row["part"]: thousand(row[measure]) for row in found["identity"]}


async def test_the_load_is_accepted_and_its_control_totals_hold(book: Book, capsys) -> None:
    report = book.noted["report"]
    assert (report.ok, report.accepted, report.replayed) == (True, COMMANDS, 0)
    assert len(report.controls) == 11
    with capsys.disabled():
        sys.stdout.write(f"\nrepublican budget loaded in {book.noted['seconds']:.3f} s\n")


@pytest.mark.parametrize("measure", ["approved", "amended", "adjusted"])
async def test_the_parts_of_the_balance_are_the_laws(book: Book, measure: str) -> None:
    assert await balance(book, measure) == {
        "I": 21_392_054_673, "II": 25_193_022_392, "III": 252_140_981, "IV": 46_891_300,
        "V": -4_100_000_000, "VI": 4_100_000_000,
    }  # fmt: skip


async def test_sections_sum_up_at_every_level(book: Book) -> None:
    wanted = {("revenue",): 21_392_054_673, ("expenditure",): 25_193_022_392}
    for level in range(1, 6):
        rows = await book.execution(REPUBLIC, effective="2025-01-01", level=level)
        for (section,), figure in wanted.items():
            amounts = [thousand(r["amended"]) for line, r in rows.items() if line[0] == section]
            assert sum(amounts) == figure


async def test_nothing_is_in_force_before_the_year_and_nothing_is_paid(book: Book) -> None:
    rows = await book.execution(REPUBLIC, effective="2024-12-31", level=1)
    assert {row["amended"] for row in rows.values()} <= {"0.00"}
    rows = await book.execution(REPUBLIC, effective="2025-12-31", level=1)
    assert {row["executed"] for row in rows.values()} == {"0.00"}


async def test_programmes_and_administrators_are_counted(book: Book) -> None:
    rows = await book.execution(REPUBLIC, effective="2025-01-01", prefix="expenditure")
    assert len(rows) == 225
    assert {len(line) for line in rows} == {4}
    assert all(row["title"] for row in rows.values())
    cut = await book.execution(
        REPUBLIC, effective="2025-01-01", prefix="expenditure", by="administrator"
    )
    assert len(cut) == len({line[2] for line in rows}) == 39
    assert sum(thousand(row["amended"]) for row in cut.values()) == 25_193_022_392


async def test_withdrawals_and_subventions_are_the_articles_totals(book: Book) -> None:
    pairs = (await book.ask(f"budgets/{REPUBLIC}/transfers"))["pairs"]
    sums: dict[str, Decimal] = {}
    for pair in pairs:
        says = pair["payer_says"] or pair["receiver_says"]
        mine = "receiver" if pair["transfer"] == "withdrawal" else "payer"
        assert pair[mine] == REPUBLIC
        sums[pair["transfer"]] = sums.get(pair["transfer"], 0) + thousand(says["amount"])
    assert sums == {"withdrawal": 504_192_231, "subvention": 5_774_300_885}
    assert len(pairs) == 20


async def test_sixteen_entries_are_exempt_and_twelve_local_names_wait_for_codes(book) -> None:
    lists = dict(await book.events("budget.exempt_list.set"))
    entries = lists[REPUBLIC].command.entries
    assert (len(entries), {len(entry.line) for entry in entries}) == (16, {5})
    exempt = await book.ask(f"budgets/{REPUBLIC}/exempt", effective="2025-01-01")
    assert exempt["unresolved"] == []
    programmes = {tuple(entry.line[:4]) for entry in entries}
    assert {tuple(row["line"]) for row in exempt["lines"] if row["exempt"]} == programmes
    named = (await book.ask("rulebook"))["exemptions"]
    assert [entry["line"] for entry in named] == [None] * 12
    assert {tuple(entry["levels"]) for entry in named} == {(2, 3, 4)}
    local = await book.ask(f"budgets/{OBLAST}/exempt", effective="2025-01-01")
    assert sorted(entry["name"] for entry in named) == local["unresolved"]


async def test_the_report_is_the_sum_of_the_events(book: Book) -> None:
    await book.assert_folds(REPUBLIC, date(2025, 1, 1))
    await book.assert_folds(REPUBLIC, date(2024, 12, 31))


@pytest.mark.parametrize("remote", [False, True])
async def test_loading_again_changes_nothing(book: Book, remote: bool) -> None:  # noqa: FBT001
    heads, sequence = await book.heads(), await book.applied()
    report = await book.get(f"budgets/{REPUBLIC}/execution", effective="2025-01-01")
    book.clock.set("2025-01-04")
    again = await book.load("kz-republic-2025", remote=remote)
    assert (again.ok, again.accepted, again.replayed) == (True, 0, COMMANDS)
    assert (await book.heads(), await book.applied()) == (heads, sequence)
    assert await book.get(f"budgets/{REPUBLIC}/execution", effective="2025-01-01") == report


async def test_a_rebuilt_projection_gives_the_same_bytes(book: Book) -> None:
    execution = f"budgets/{REPUBLIC}/execution"
    questions: list[Question] = [
        (execution, {"effective": "2025-01-01"}), (execution, {"effective": "2024-12-31"}),
        (execution, {"effective": "2025-01-01", "level": 2, "adopted": "2024-12-04"}),
        (execution, {"effective": "2025-01-01", "adopted": "2024-12-03"}),
        (execution, {"effective": "2025-01-01", "by": "administrator"}),
        (execution, {"effective": "2025-01-01", "known": await book.applied()}),
        (f"budgets/{REPUBLIC}/transfers", {}), (f"budgets/{OBLAST}/transfers", {}),
        (f"budgets/{REPUBLIC}/exempt", {"effective": "2025-01-01"}),
        ("audit", {"budget": REPUBLIC}),
    ]  # fmt: skip
    await assert_rebuilt_alike(book, questions)


async def test_replay_gives_the_same_heads_and_cells(book: Book) -> None:
    await assert_replayed_alike(book)
