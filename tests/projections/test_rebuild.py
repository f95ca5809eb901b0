"""Rebuilding beside the live version: equal, swapped without a failed read, tampering found."""

import asyncio
from random import Random
from typing import Any

import pytest

from ledger.errors import NotFound
from projections import budget_execution
from projections.audit_trail import trail
from projections.rebuild import rebuild, roll_back
from projections.registry import NAMES
from tests.projections.traffic import BUDGET, open_budget, post_traffic, traffic
from tests.store.world import sequenced


async def test_swaps_under_readers_and_postings_fail_no_read(book: Any) -> None:
    await open_budget(book)
    await post_traffic(book, traffic(Random(11), book, 150))
    done, reads, failed = False, 0, []

    async def read() -> None:
        nonlocal reads
        last = 0
        while not done:
            try:
                async with book.reader() as connection:
                    report = await budget_execution.report(
                        connection, book.ledger.rules, budget=BUDGET
                    )
                    rows = await trail(connection, budget=BUDGET, limit=5)
                assert report.rows
                assert rows
                assert report.sequence >= last
                last, reads = report.sequence, reads + 1
            except Exception as error:  # noqa: BLE001 - whatever fails is counted
                failed.append(repr(error))
                await asyncio.sleep(0.01)

    async def post() -> None:
        for document in traffic(Random(12), book, 4000):
            if done:
                break
            await post_traffic(book, [document])
            await asyncio.sleep(0.005)

    tasks = [asyncio.create_task(read()) for _ in range(4)] + [asyncio.create_task(post())]
    reports = [
        await rebuild(book.ledger.database, name)
        for _ in range(5) for name in ("budget_execution", "audit_trail")
    ]  # fmt: skip
    done = True
    await asyncio.gather(*tasks)
    assert failed == []
    assert reads > 20
    assert all(report.swapped and not report.differences for report in reports)
    assert reports[-1].sequence > reports[0].sequence
    await book.applied()
    kept = await book.admin(
        "SELECT name, state, count(*) AS n FROM projections.versions GROUP BY 1, 2"
    )
    assert {(row["name"], row["state"]): row["n"] for row in kept}[
        "budget_execution", "old"] <= 2  # fmt: skip


@pytest.mark.parametrize(("name", "statement"), [
    ("budget_execution", "UPDATE {}.sums SET executed = executed + 1 WHERE executed > 0"),
    ("budget_execution", "DELETE FROM {}.titles"),
    ("audit_trail", "UPDATE {}.rows SET actor = 'nobody' WHERE position = 2"),
    ("audit_trail", "UPDATE {}.totals SET minor = minor + 1 WHERE subject = 'cash'"),
])  # fmt: skip
async def test_a_tampered_row_is_found_and_not_swapped_over(
    book: Any, name: str, statement: str
) -> None:
    await open_budget(book)
    await book.applied()
    await book.admin(statement.format(f"{name}_1"))
    report = await rebuild(book.ledger.database, name)
    assert {found.side for found in report.differences} >= (
        {"rebuilt"} if "DELETE" in statement else {"live", "rebuilt"})  # fmt: skip
    assert not report.swapped
    mended = await rebuild(book.ledger.database, name, compare=False)
    assert mended.swapped
    assert (await rebuild(book.ledger.database, name)).differences == ()


async def test_the_version_before_can_come_back(book: Any) -> None:
    await open_budget(book)
    await book.applied()
    await rebuild(book.ledger.database, "budget_execution")
    await post_traffic(book, traffic(Random(2), book, 30))
    sequence = await book.applied()
    assert await roll_back(book.ledger.database, "budget_execution") == "budget_execution_1"
    async with book.reader() as connection:
        report = await budget_execution.report(connection, book.ledger.rules, budget=BUDGET)
    assert report.sequence >= sequence
    assert (await rebuild(book.ledger.database, "budget_execution")).differences == ()


async def test_a_version_of_another_release_is_neither_folded_on_nor_put_back(book: Any) -> None:
    """Its tables and its fold are not those of this release; what it lacks stays out of it."""
    await open_budget(book)
    await book.applied()
    await book.runner.stop()
    await post_traffic(book, traffic(Random(3), book, 10))
    await sequenced(book.ledger)
    await book.admin("UPDATE projections.versions SET fingerprint = 'older'")
    await book.admin("DROP FUNCTION budget_execution_1.fold")
    report = await rebuild(book.ledger.database, "budget_execution")
    assert (report.swapped, report.differences) == (True, ())
    assert await book.admin("SELECT FROM projections.parked") == []
    with pytest.raises(NotFound, match="another release"):
        await roll_back(book.ledger.database, "budget_execution")


async def test_an_empty_ledger_and_every_projection_rebuild(book: Any) -> None:
    for name in NAMES:
        report = await rebuild(book.ledger.database, name)
        assert (report.swapped, report.differences) == (True, ())
    with pytest.raises(NotFound):
        await rebuild(book.ledger.database, "dreams")


async def test_a_version_of_another_release_is_made_anew_at_start(book: Any) -> None:
    await open_budget(book)
    await book.applied()
    await book.runner.stop()
    await book.admin("UPDATE projections.versions SET fingerprint = 'older'")
    await book.runner.start()
    await post_traffic(book, traffic(Random(2), book, 5))
    for _ in range(200):
        rows = await book.admin(
            "SELECT name FROM projections.versions WHERE state = 'live' AND number = 2"
        )
        if len(rows) == len(NAMES):
            break
        await asyncio.sleep(0.05)
    assert {row["name"] for row in rows} == set(NAMES)
    await book.applied()
