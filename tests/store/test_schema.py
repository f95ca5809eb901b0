"""The schema: migrations add up to it, once; nobody changes what is stored."""

import asyncio
import itertools

import asyncpg
import pytest

from ledger.errors import Broken
from ledger.events import EVENTS
from ledger.service import Ledger
from ledger.store.checks import assert_durable, check
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrate import GUARDED, migrate
from ledger.store.replay import replay
from ledger.store.sql import folder, sql
from tests.store.world import RAYON, accepted, opening, pay, query, send, sequenced

PLACES = {"places", "log_places", "position_at"}
CATALOGS = {
    "columns": """SELECT table_name, column_name, ordinal_position, data_type, is_nullable,
        column_default FROM information_schema.columns WHERE table_schema = 'ledger'""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'ledger'::regnamespace""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'ledger'",
    "triggers": """SELECT tgrelid::regclass::text, tgname, tgenabled::text, pg_get_triggerdef(oid)
        FROM pg_trigger""",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'ledger'",
    "functions": """SELECT proname, pg_get_functiondef(oid) FROM pg_proc
        WHERE pronamespace = 'ledger'::regnamespace""",
    "tables": """SELECT relname, relkind::text, relacl::text, reloptions::text,
        pg_get_userbyid(relowner), pg_get_partkeydef(oid) FROM pg_class
        WHERE relnamespace = 'ledger'::regnamespace""",
    "rights": """SELECT proname, proacl::text FROM pg_proc
        WHERE pronamespace = 'ledger'::regnamespace""",
    "types": """SELECT t.typname, t.typacl::text, pg_get_userbyid(t.typowner), e.enumlabel,
        rank() OVER (PARTITION BY t.oid ORDER BY e.enumsortorder) FROM pg_type AS t
        LEFT JOIN pg_enum AS e ON e.enumtypid = t.oid
        WHERE t.typnamespace = 'ledger'::regnamespace""",
}


async def catalogs(dsn) -> dict[str, list[str]]:
    return {name: sorted(str(tuple(row)) for row in await query(dsn, statement))
            for name, statement in CATALOGS.items()}  # fmt: skip


async def test_migrations_add_up_to_the_schema(empty, migrated):
    connection = await asyncpg.connect(empty)
    await connection.execute(f"GRANT CREATE ON DATABASE {empty.split('/')[3].split('?')[0]} "
                             "TO qazyna_owner")  # fmt: skip
    await connection.execute("SET ROLE qazyna_owner")
    await connection.execute(sql("schema"))
    for name in folder("functions"):
        await connection.execute(sql(f"functions/{name}"))
    for table in GUARDED:
        await connection.execute("SELECT ledger.guard_table($1)", table)
    await connection.execute("SELECT ledger.ensure_year(0)")
    await connection.execute(sql("grants"))
    await connection.close()
    assert await catalogs(empty) == await catalogs(migrated)


async def test_the_database_knows_the_kinds_of_the_registry(migrated):
    labels = await query(migrated, "SELECT unnest(enum_range(NULL::ledger.kind))::text AS kind")
    assert {row["kind"] for row in labels} == EVENTS.keys(), (
        "a new kind needs `ALTER TYPE ledger.kind ADD VALUE` in a migration and in schema.sql: "
        "ledger/store/sql/README.md"
    )


async def _as_before_0007(dsn, old) -> None:
    """Make a database of the release before 0007 with all that another one holds."""
    source, target = await asyncpg.connect(dsn), await asyncpg.connect(old)
    await target.execute(f"GRANT CREATE ON DATABASE {old.split('/')[3].split('?')[0]} "
                         "TO qazyna_owner, qazyna_projector")  # fmt: skip
    await target.execute("SET ROLE qazyna_owner")
    for file in (name for name in folder("migrations") if int(name[:4]) < 7):
        await target.execute(sql(f"migrations/{file}"))
        await target.execute("INSERT INTO ledger.migrations VALUES ($1, $2)", int(file[:4]), file)
    await target.execute("CREATE FUNCTION ledger.append(p_kinds text[]) RETURNS void "
                         "LANGUAGE sql AS ''")  # fmt: skip
    for name in folder("functions"):
        if name != "append":
            await target.execute(sql(f"functions/{name}"))
    for table in GUARDED:
        await target.execute("SELECT ledger.guard_table($1)", table)
    await target.execute("DELETE FROM ledger.rulebook")
    for [year] in await source.fetch("SELECT DISTINCT year FROM ledger.events"):
        await target.execute("SELECT ledger.ensure_year($1)", year)
    await target.execute(sql("grants"))
    await target.execute("RESET ROLE")
    for table in ("rulebook", "heads", "events", "lines", "cells", "sequenced", "steps",
                  "landmarks", "tiles", "tree_heads", "checkpoints", "annex"):  # fmt: skip
        columns = [row["attname"] for row in await target.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0",
            f"ledger.{table}")]  # fmt: skip
        rows = await source.fetch(f"SELECT {', '.join(columns)} FROM ledger.{table}")
        await target.copy_records_to_table(
            table, schema_name="ledger", columns=columns, records=rows
        )
    await source.close()
    await target.close()


async def test_events_of_several_years_move_to_the_new_layout(dsn, empty, clock):
    """Migration 0007: every byte and every guard is where a new database has it."""
    years = (2025, 2043, 2044)
    async with Ledger(dsn, clock=clock) as ledger:
        for year in years[1:]:
            await accepted(ledger, opening(f"KZ-{year}-rayon-1", 1, 3, year))
        await accepted(ledger, pay(RAYON), send())
        await sequenced(ledger)
    await _as_before_0007(dsn, empty)
    assert await migrate(empty) == ["0007_events", "0008_past_days"]
    everything = "SELECT * FROM ledger.events ORDER BY region, year, log, position"
    assert await query(empty, everything) == await query(dsn, everything)
    assert await catalogs(empty) == await catalogs(dsn)
    assert await check(empty) == []
    assert (await replay(empty)).findings == []
    async with Ledger(empty, clock=clock) as ledger:
        await accepted(ledger, pay(RAYON), opening("KZ-2044-rayon-2", 1, 3, 2044))
        await sequenced(ledger)
    assert await check(empty) == []


async def test_migrating_twice_changes_nothing(empty):
    assert await migrate(empty) == list(folder("migrations"))
    before = await catalogs(empty)
    assert await migrate(empty) == []
    assert await catalogs(empty) == before


async def test_two_migrations_at_once_apply_each_file_once(empty):
    applied = await asyncio.gather(*(migrate(empty) for _ in range(3)))
    assert sorted(itertools.chain(*applied)) == list(folder("migrations"))


async def test_migrations_of_two_databases_of_a_cluster_at_once(server, empty):
    await query(empty, "CREATE DATABASE second TEMPLATE template0")
    applied = await asyncio.gather(migrate(empty), migrate(server.dsn("second")))
    assert applied == [list(folder("migrations"))] * 2


async def test_a_newer_database_is_refused_untouched(migrated):
    await query(migrated, "INSERT INTO ledger.migrations VALUES (9999, '9999_future')")
    await query(migrated, "DROP FUNCTION ledger.claim_codes")
    with pytest.raises(Broken, match="newer"):
        await migrate(migrated)
    assert not await query(migrated, "SELECT 1 FROM pg_proc WHERE proname = 'claim_codes'")


CHANGES = (
    "UPDATE ledger.events SET kind = kind",
    "DELETE FROM ledger.events",
    "TRUNCATE ledger.events",
    "INSERT INTO ledger.events SELECT * FROM ledger.events",
    "UPDATE ledger.events_2025 SET kind = kind",
    "TRUNCATE ledger.events_2025",
    "INSERT INTO ledger.events_2025 SELECT * FROM ledger.events_2025",
    "UPDATE ledger.heads SET position = position",
    "DELETE FROM ledger.cells",
    "INSERT INTO ledger.lines VALUES (1, 1, 1, '{}')",
    "DELETE FROM ledger.landmarks",
    "UPDATE ledger.sequenced SET position = 0",
    "DELETE FROM ledger.steps",
    "UPDATE ledger.rulebook SET position = 0",
    "DELETE FROM ledger.tiles",
    "UPDATE ledger.tree_heads SET size = size",
    "UPDATE ledger.checkpoints SET witnessed = true",
    "INSERT INTO ledger.checkpoints VALUES (1, '', true, 0)",
    "SELECT 1 FROM ledger.heads FOR UPDATE",
    "SELECT value FROM ledger.annex",
    "SELECT salt FROM ledger.annex",
    "DELETE FROM ledger.annex",
    "INSERT INTO ledger.annex SELECT * FROM ledger.annex",
    "CREATE TABLE ledger.mine ()",
    "ALTER TABLE ledger.events DISABLE TRIGGER ALL",
    "SET ROLE qazyna_owner",
)


@pytest.fixture(scope="session")
async def guarded(server, world_template):
    """A database of which no test may change anything, with a login for each role."""
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(f"CREATE DATABASE guarded TEMPLATE {world_template}")
    for role in ("writer", "projector", "reader"):
        await admin.execute(f"CREATE ROLE login_{role} LOGIN IN ROLE qazyna_{role}")
    await admin.close()
    return server.dsn("guarded")


@pytest.mark.parametrize("statement", CHANGES)
@pytest.mark.parametrize("role", ["writer", "projector", "reader"])
async def test_no_role_of_the_service_changes_what_is_stored(guarded, role, statement):
    connection = await asyncpg.connect(guarded)
    try:
        await connection.execute(f"SET SESSION AUTHORIZATION login_{role}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_each_role_may_do_its_own_and_no_more(guarded):
    may = {}
    for role in ("writer", "projector", "reader", "public"):
        rows = await query(guarded, """SELECT proname FROM pg_proc
            WHERE pronamespace = 'ledger'::regnamespace AND has_function_privilege($1, oid,
            'EXECUTE')""", role if role == "public" else f"qazyna_{role}")  # fmt: skip
        may[role] = {row["proname"] for row in rows}
    assert may == {
        "writer": {"append", "claim_codes", "ensure_year", "lock_heads",
                   "keep_annex", "compare_annex", "erase_annex"},
        "projector": {"sequence_step", "grow_tree", "publish_checkpoint", *PLACES},
        "reader": PLACES, "public": set(),
    }  # fmt: skip
    assert await query(guarded, "SELECT 1 FROM ledger.stored_events", role="qazyna_reader")


async def test_a_ledger_without_a_schema_does_not_open_and_leaves_no_connection(empty):
    with pytest.raises(asyncpg.PostgresError):
        await Ledger(empty).open()
    statement = """SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
    for _ in range(100):
        if not await query(empty, statement):
            return
        await asyncio.sleep(0.02)
    pytest.fail("connections are left")


@pytest.mark.parametrize("replica", [False, True])
async def test_triggers_stop_even_a_superuser(dsn, clock, replica):
    async with Ledger(dsn, clock=clock) as ledger:
        await accepted(ledger, opening("KZ-2044-rayon-1", 1, 3, 2044))
        await sequenced(ledger)
    connection = await asyncpg.connect(dsn)
    try:
        if replica:
            await connection.execute("SET session_replication_role = replica")
        columns = {"lines": "line", "steps": "last_sequence", "landmarks": "step"}
        for table in ("events", "events_0", "events_2025", "events_2044", *columns):
            column = columns.get(table, "kind")
            for change in (f"UPDATE ledger.{table} SET {column} = {column}",
                           f"DELETE FROM ledger.{table}", f"TRUNCATE ledger.{table}",
                           f"TRUNCATE ledger.{table} CASCADE"):  # fmt: skip
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="immutable"):
                    await connection.execute(change)
    finally:
        await connection.close()


async def test_a_new_year_waits_for_no_append_under_way(dsn, clock):
    """The partition is attached while another transaction has written events of another year."""
    connection = await asyncpg.connect(dsn)
    busy = connection.transaction()
    await busy.start()
    await connection.execute("LOCK TABLE ledger.events IN ROW EXCLUSIVE MODE")
    async with Ledger(dsn, clock=clock) as ledger:
        async with asyncio.timeout(20):
            await accepted(ledger, opening("KZ-2033-rayon-1", 1, 3, 2033))
            await accepted(ledger, pay(RAYON))
    await busy.rollback()
    await connection.close()
    [stored] = await query(dsn, "SELECT count(*) AS events FROM ledger.events_2033")
    assert stored["events"] == 1


async def test_two_processes_make_a_new_year_at_once(dsn, clock):
    async with Ledger(dsn, clock=clock) as one, Ledger(dsn, clock=clock) as two:
        await asyncio.gather(*(accepted(ledger, opening(f"KZ-2034-rayon-{n}", 1, 3, 2034))
                               for n, ledger in enumerate((one, two, one, two))))  # fmt: skip
    [stored] = await query(dsn, "SELECT count(*) AS events FROM ledger.events_2034")
    assert stored["events"] == 4


async def test_a_database_that_does_not_wait_for_the_disk_is_refused(migrated):
    await assert_durable(migrated)
    name = migrated.split("/")[3].split("?")[0]
    await query(migrated, f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(Broken, match="synchronous_commit") as raised:
        await assert_durable(migrated)
    assert raised.value.details["setting"] == "synchronous_commit"


async def test_a_server_without_fsync_is_refused(tmp_path):
    with (
        EmbeddedPostgres(tmp_path / "home", fsync=False) as server,
        pytest.raises(Broken, match="fsync"),
    ):
        await assert_durable(server.dsn("postgres"))
