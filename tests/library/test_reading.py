"""The unmodified library's repository, notification log and SQL over a live ledger."""

import ast
import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from eventsourcing.application import AggregateNotFoundError, Application, LocalNotificationLog
from eventsourcing.persistence import NotSupportedError, PersistenceError, StoredEvent

from ledger.errors import Corrupt, Unavailable
from ledger.events import decode
from ledger.library import (
    BudgetTotals,
    LedgerFactory,
    LedgerRecorder,
    LibraryApplication,
    ReadOnly,
    fold_budget,
)
from tests.instruments.asks import P, Q, pay
from tests.library.live import RAYON, Live, compare, random_commands, worked_example

ROOT = Path(__file__).parents[2]


def fold(app: Application[str], version: int | None = None, budget: str = RAYON) -> BudgetTotals:
    return app.repository.get(budget, version=version, projector_func=fold_budget)


async def test_the_worked_example_folded_by_the_library_equals_the_cells(live: Live, app) -> None:
    await worked_example(live)
    await live.settled()
    totals = await asyncio.to_thread(fold, app)
    assert compare(totals, await live.cells()) > 100
    assert [totals.total(m, line=P) for m in ("approved", "amended", "adjusted", "accepted")] == [
        100_000, 120_000, 114_000, 60_000]  # fmt: skip
    assert totals.total("executed", line=P) == 18_000
    assert totals.total("adjusted", line=Q) == 110_000
    assert totals.total("cash", account=None) == 72_000


@pytest.mark.parametrize("seed", [1, 20250720])
async def test_random_commands_folded_by_the_library_equal_the_cells(live, app, seed) -> None:
    await random_commands(live, seed, 300)
    await live.settled()
    kinds = {answer.status for answer in live.answers}
    assert kinds == {"accepted", "refused"}
    totals = await asyncio.to_thread(fold, app)
    assert totals.version == live.last_position
    assert compare(totals, await live.cells()) > 500


async def test_a_budget_is_folded_at_any_earlier_version(live: Live, app) -> None:
    await worked_example(live)
    last = await live.settled()
    versions = [await asyncio.to_thread(fold, app, version) for version in range(1, last)]
    assert [totals.version for totals in versions] == list(range(1, last))
    assert versions[0].total("approved") == 0
    with pytest.raises(AggregateNotFoundError):
        await asyncio.to_thread(fold, app, None, "KZ-2025-nowhere")


async def test_a_cached_fold_is_brought_forward_by_the_library(live: Live) -> None:
    await worked_example(live)
    await live.settled()
    env = {"DATABASE_URL": live.dsn, "AGGREGATE_CACHE_MAXSIZE": "10"}
    app = await asyncio.to_thread(LibraryApplication, env)
    with app:
        before = await asyncio.to_thread(fold, app)
        await live.post("2025-12-22", pay(P, 7, "C1"))
        await live.settled()
        after = await asyncio.to_thread(fold, app)
    assert after.version == before.version + 1
    assert after.total("executed", line=P) - before.total("executed", line=P) == 700
    assert compare(after, await live.cells())


def test_a_fold_refuses_a_gap_and_another_log() -> None:
    body = (b'{"command_id":"00000000-0000-0000-0000-000000000001","kind":"budget.line.adjusted",'
            b'"recorded_at":1,"rules_at":1,"line":["expenditure"],"change_minor":1,'
            b'"effective_from":"2025-01-01","adopted_on":"2025-01-01"}')  # fmt: skip
    totals = fold_budget(None, [decode(body, RAYON, 1)])
    for wrong in (decode(body, RAYON, 3), decode(body, "KZ-2025-other", 2)):
        with pytest.raises(Corrupt):
            fold_budget(totals, [wrong])


async def test_the_notification_log_is_read_in_sections_without_a_gap(live: Live, app) -> None:
    await worked_example(live)
    last = await live.settled()

    def read() -> list[int]:
        log, ids, wanted = LocalNotificationLog(app.recorder, section_size=7), [], "1,7"
        while wanted:
            section = log[wanted]
            assert section.id == f"{section.items[0].id},{section.items[-1].id}"
            ids += [item.id for item in section.items]
            wanted = section.next_id
        return ids

    assert await asyncio.to_thread(read) == list(range(1, last + 1))
    assert len((await asyncio.to_thread(app.notification_log.__getitem__, "1,500")).items) == last


async def test_each_option_of_a_selection_means_what_the_library_says(live: Live, app) -> None:
    await worked_example(live)
    last = await live.settled()
    recorder = app.recorder

    def ids(*arguments, **options):
        return [found.id for found in recorder.select_notifications(*arguments, **options)]

    def positions(**options):
        found = recorder.select_events(RAYON, **options)
        return [event.originator_version for event in found]

    def check() -> None:
        assert recorder.max_notification_id() == last
        assert ids(None, 3) == ids(1, 3) == ids(-5, 3) == [1, 2, 3]
        assert ids(2, 3, inclusive_of_start=False) == [3, 4, 5]
        assert ids(2, 9, 4) == [2, 3, 4]
        assert ids(last, 9, inclusive_of_start=False) == []
        paid = recorder.select_notifications(1, 9, topics=["budget.payment.executed"])
        assert [found.topic for found in paid] == ["budget.payment.executed"]
        assert positions(gt=2, lte=5) == [3, 4, 5]
        assert positions(desc=True, limit=2) == [last - 1, last - 2]  # sequence 1 is the rulebook
        assert positions(gt=2, lte=9, desc=True, limit=2) == [9, 8]
        assert positions(limit=1) == [1]

    await asyncio.to_thread(check)


async def test_an_empty_ledger_has_no_last_sequence(server) -> None:
    admin = await asyncpg.connect(server.dsn())
    await admin.execute("CREATE DATABASE library_empty")
    await admin.close()
    from ledger.store.migrate import migrate  # noqa: PLC0415

    await migrate(server.dsn("library_empty"))

    def check() -> None:
        with LibraryApplication(server.dsn("library_empty")) as app:
            assert app.recorder.max_notification_id() is None
            assert app.recorder.select_notifications(None, 5) == []
            assert app.recorder.select_events(RAYON) == []

    await asyncio.to_thread(check)


async def test_nothing_can_be_written_and_the_refusal_says_how_to_post(live: Live, app) -> None:
    await worked_example(live)
    last = await live.settled()

    def check() -> None:
        stored = app.recorder.select_events(RAYON, limit=1)
        event = app.mapper.to_domain_event(stored[0])
        for write in (
            lambda: app.recorder.insert_events(stored),
            lambda: app.events.put([event]),
            lambda: app.save(event),
            app.factory.process_recorder,
            lambda: app.mapper.transcoder.encode({}),
            lambda: app.mapper.to_stored_event(StoredEvent(RAYON, 1, "x", b"")),
        ):
            with pytest.raises(ReadOnly) as refusal:
                write()
            assert isinstance(refusal.value, NotSupportedError)
        with pytest.raises(ReadOnly, match=r"Ledger\.submit.*POST /v1/commands"):
            app.recorder.insert_events(stored)
        for make in (
            lambda: app.factory.aggregate_recorder("snapshots"),
            app.factory.tracking_recorder,
        ):
            with pytest.raises(ReadOnly):
                make()
        fetch = app.recorder._fetch("queries/last_notification")
        assert len(app.recorder._run(fetch)) == 1
        connection = app.recorder._pool
        for statement in (
            "DELETE FROM ledger.events",
            "DELETE FROM ledger.stored_events",
            "INSERT INTO ledger.sequences VALUES (0, 0, 0, 0)",
        ):
            with pytest.raises(asyncpg.PostgresError):
                app.recorder._run(connection.execute(statement))

    await asyncio.to_thread(check)
    assert await live.settled() == last


async def test_a_plain_application_of_the_library_reads_by_persistence_module(live: Live) -> None:
    await worked_example(live)
    await live.settled()
    env = {"PERSISTENCE_MODULE": "ledger.library", "DATABASE_URL": live.dsn}
    app = await asyncio.to_thread(Application, env)
    with app:
        assert isinstance(app.factory, LedgerFactory)
        assert compare(await asyncio.to_thread(fold, app), await live.cells())


async def test_the_environment_cannot_swap_the_closed_registry(live: Live, monkeypatch) -> None:
    for name in ("MAPPER_TOPIC", "TRANSCODER_TOPIC", "CIPHER_TOPIC", "COMPRESSOR_TOPIC",
                 "PERSISTENCE_MODULE"):  # fmt: skip
        monkeypatch.setenv(name, "antigravity:thing")
    monkeypatch.setenv("QAZYNA_DATABASE_URL", "postgresql://nowhere.invalid/")
    await worked_example(live)
    await live.settled()
    app = await asyncio.to_thread(LibraryApplication, live.dsn)
    with app:
        assert (await asyncio.to_thread(fold, app)).version > 10
    assert "antigravity" not in sys.modules


async def test_the_view_has_the_layout_that_the_librarys_postgresql_reads(live: Live) -> None:
    await worked_example(live)
    last = await live.settled()
    spec = importlib.util.find_spec("eventsourcing")
    source = (Path(spec.origin).parent / "postgres.py").read_text("utf-8")  # needs psycopg: unread
    named = {
        node.slice.value for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
        and isinstance(node.value, ast.Name) and node.value.id == "row"
    }  # fmt: skip
    columns = {"originator_id": "text", "originator_version": "bigint", "topic": "text",
               "state": "bytea", "notification_id": "bigint"}  # fmt: skip
    assert named == set(columns)
    statements = {
        "SELECT * FROM {schema}.{table} WHERE originator_id = %s": "",
        " AND originator_version > %s": "", " AND originator_version <= %s": "",
        " ORDER BY originator_version": "", "SELECT MAX(notification_id) FROM {schema}.{table}": "",
        " ORDER BY notification_id LIMIT %s": "",
    }  # fmt: skip
    assert [text for text in statements if text not in source] == []
    async with live.ledger.database.connect("reader") as connection:
        types = await connection.fetch(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'ledger' AND table_name = 'stored_events'"
        )
        assert {row["column_name"]: row["data_type"] for row in types} == columns
        top = await connection.fetchval("SELECT MAX(notification_id) FROM ledger.stored_events")
        rows = await connection.fetch(
            "SELECT * FROM ledger.stored_events WHERE originator_id = $1"
            " AND originator_version > $2 AND originator_version <= $3"
            " ORDER BY originator_version LIMIT $4", RAYON, 1, 5, 3
        )  # fmt: skip
        feed = await connection.fetch(
            "SELECT * FROM ledger.stored_events WHERE notification_id>$1 AND topic = ANY($2)"
            " ORDER BY notification_id LIMIT $3", 1, ["budget.opened"], 5
        )  # fmt: skip
    assert top == last
    assert [row["originator_version"] for row in rows] == [2, 3, 4]
    assert [(row["originator_id"], row["notification_id"]) for row in feed] == [(RAYON, 2)]


async def test_a_program_that_forgets_to_close_ends_and_never_loads_psycopg(live: Live) -> None:
    await worked_example(live)
    await live.settled()
    program = (
        "import sys\n"
        "from ledger.library import LibraryApplication, fold_budget\n"
        "app = LibraryApplication(sys.argv[1])\n"
        f"print(app.repository.get({RAYON!r}, projector_func=fold_budget).version)\n"
        "assert not [name for name in sys.modules if name.startswith('psycopg')]\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, live.dsn]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) == live.last_position


async def test_a_database_that_does_not_answer_is_the_librarys_own_error(server, live) -> None:
    for dsn in ("postgresql://127.0.0.1:1/nowhere", server.dsn("nowhere")):
        with pytest.raises(PersistenceError) as error:
            await asyncio.to_thread(LedgerRecorder, dsn)
        assert isinstance(error.value, Unavailable)
    recorder = await asyncio.to_thread(LedgerRecorder, live.dsn)
    recorder.close()
    recorder.close()
    with pytest.raises(Unavailable):
        recorder.max_notification_id()
    with pytest.raises(PersistenceError):
        LibraryApplication({"DATABASE_URL": ""})
