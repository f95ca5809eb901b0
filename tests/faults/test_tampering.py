"""What a superuser changes behind the ledger's back: `check` names the place."""

from typing import NamedTuple

import pytest

from ledger.service import Ledger
from ledger.store.checks import check
from ledger.store.pool import Database
from projections.checks import check as check_projections
from projections.rebuild import rebuild
from tests.faults.stored import query, sequenced
from tests.store.conftest import create
from tests.store.world import (
    BUDGETS,
    OBLAST,
    RAYON,
    Clock,
    accepted,
    allow_schemas,
    pay,
    send,
    tamper,
)

HERE = f"region = 1 AND log = (SELECT log FROM ledger.heads WHERE code = '{RAYON}')"
EVENTS = f"ledger.events WHERE {HERE}"
SWAPPED = """
UPDATE ledger.events AS e SET command_id = o.command_id, hash = o.hash, body = o.body,
    kind = o.kind, executed = o.executed, cash = o.cash, recorded_at = o.recorded_at
FROM ledger.events AS o
WHERE e.region = 1 AND o.region = 1 AND e.log = o.log AND e.position + o.position = 2 * {at} - 1
    AND e.position IN ({at} - 1, {at}) AND e.log = (
        SELECT log FROM ledger.heads WHERE code = 'KZ-2025-rayon-1')
"""


LOG = f"u.number = (SELECT number FROM ledger.sequenced WHERE {HERE})"
IT = f"{LOG} AND u.position = {{at}}"
STEP = f"(SELECT step FROM ledger.sequenced WHERE {HERE})"


def in_step(*, number="u.number", position="u.position", kept="true") -> str:
    """Write the last step of the budget anew, place by place."""
    return f"""
        UPDATE ledger.steps AS t SET (logs, positions) = (
            SELECT array_agg({number} ORDER BY u.n), array_agg({position} ORDER BY u.n)
            FROM unnest(t.logs, t.positions) WITH ORDINALITY AS u (number, position, n)
            WHERE {kept}
        ) WHERE t.last_sequence = {STEP}"""


class Case(NamedTuple):
    """Statements with `{at}` for a payment's position, and the finding that must come."""

    statements: list[str]
    code: str
    step: int | None = 0
    """Place of the finding, counted from that payment; None for one that names no position."""
    message: str = ""


CASES = {
    "one byte of a body": Case(
        [(f"UPDATE ledger.events SET body = set_byte(body, 20, get_byte(body, 20) # 1) "
         f"WHERE {HERE} AND position = {{at}}")], "chain-broken"),
    "a body and its own hash": Case(
        [(f"UPDATE ledger.events SET body = body || ' ', hash = sha256(body || ' ') "
         f"WHERE {HERE} AND position = {{at}}")], "chain-broken"),
    "an amount in a typed column": Case(
        [f"UPDATE ledger.events SET executed = executed + 1 WHERE {HERE} AND position = {{at}}"],
        "column-differs", message="executed"),
    "the command's id": Case(
        [(f"UPDATE ledger.events SET command_id = gen_random_uuid() WHERE {HERE} "
         f"AND position = {{at}}")], "column-differs", message="command_id"),
    "the side of a transfer": Case(
        [("UPDATE ledger.events SET peer_log = peer_log + 1 WHERE peer_log IS NOT NULL "
         f"AND {HERE}")], "column-differs", step=1, message="peer_log"),
    "the number of an event in its command": Case(
        [f"UPDATE ledger.events SET n = 7 WHERE {HERE} AND position = {{at}}"],
        "column-differs", message="n "),
    "the fiscal year of a row": Case(
        [f"UPDATE ledger.events SET year = 0 WHERE {HERE} AND position = {{at}}"],
        "year-differs", message="year 0"),
    "two rows swapped": Case(["DROP INDEX ledger.events_command", SWAPPED], "chain-broken", -1),
    "a deleted row": Case([f"DELETE FROM {EVENTS} AND position = {{at}}"], "position-gap", 1),
    "a deleted tail": Case([f"DELETE FROM {EVENTS} AND position > {{at}}"], "head-differs"),
    "a deleted tail and its head": Case(
        [f"DELETE FROM {EVENTS} AND position > {{at}}",
         (f"UPDATE ledger.heads AS h SET position = {{at}}, hash = (SELECT hash FROM {EVENTS} "
         f"AND position = {{at}}) WHERE {HERE}")], "event-missing", 1),
    "a deleted log": Case(
        [f"DELETE FROM {EVENTS}", f"DELETE FROM ledger.heads WHERE {HERE}"], "event-missing", None),
    "an edited head": Case([f"UPDATE ledger.heads SET hash = '\\x00' WHERE {HERE}"],
                           "head-differs", 1),
    "an edited cell": Case(
        [(f"UPDATE ledger.cells SET executed = executed - 1 WHERE {HERE} AND key = '\"C1\"' "
         f"OR {HERE} AND key = 'C1'")], "cell-differs", None, "contract"),
    "an edited content of a cell": Case(
        [f"UPDATE ledger.cells SET content = content || ' ' WHERE {HERE} AND kind = 'contract'"],
        "cell-differs", None, "contract"),
    "a deleted cell": Case([f"DELETE FROM ledger.cells WHERE {HERE} AND kind = 'contract'"],
                           "cell-missing", None),
    "an invented cell": Case(
        [("INSERT INTO ledger.cells SELECT (jsonb_populate_record(c, '{{\"key\": \"X\"}}')).* "
         f"FROM ledger.cells AS c WHERE {HERE} AND kind = 'contract' LIMIT 1")],
        "cell-differs", None, "X"),
    "an edited line": Case([f"UPDATE ledger.lines SET path = '{{{{a,b}}}}' WHERE {HERE}"],
                           "lines-differ", None),
    "loosened CHECKs of a cell": Case(
        [f"UPDATE ledger.cells SET guards = 0 WHERE {HERE} AND kind = 'line'"],
        "guards-differ", message="CHECKs 0"),
    "a CHECK taken off one cell": Case(
        [f"UPDATE ledger.cells SET guards = guards - 1 WHERE {HERE} AND kind = 'budget'"],
        "guards-differ", 1, "budget"),
    "a loosened tolerance": Case(
        [(f"UPDATE ledger.cells SET tolerance = 1000 WHERE {HERE} AND kind = 'contract' "
         "AND key = 'C1'")], "guards-differ", 0, "tolerance 1000"),
    "a place taken out of its step": Case([in_step(kept=f"NOT ({IT})")], "not-sequenced"),
    "a place in a step made another's": Case(
        [in_step(position=f"CASE WHEN {IT} THEN 999 ELSE u.position END")], "not-sequenced"),
    "a place in a step given to another log": Case(
        [in_step(number=f"CASE WHEN {IT} THEN 2147483647 ELSE u.number END")], "not-sequenced"),
    "two places of a log swapped in a step": Case(
        [in_step(position=f"CASE WHEN NOT {LOG} THEN u.position "
                 "WHEN u.position = {at} THEN {at} - 1 "
                 "WHEN u.position = {at} - 1 THEN {at} ELSE u.position END")],
        "sequence-order", -1),
    "a deleted step": Case(
        [f"DELETE FROM ledger.steps WHERE last_sequence = {STEP}"], "sequenced-differs", 1),
    "a log that is said to be sequenced further": Case(
        [f"UPDATE ledger.sequenced SET position = position + 1 WHERE {HERE}"],
        "sequenced-differs", 2),
    "a log that is said to be sequenced less": Case(
        [f"UPDATE ledger.sequenced SET position = position - 1 WHERE {HERE}"],
        "sequenced-differs", 0),
    "a log's last step": Case(
        [f"UPDATE ledger.sequenced SET step = step - 1 WHERE {HERE}"], "sequenced-differs", 1),
    "a log's number in the steps": Case(
        [f"UPDATE ledger.sequenced SET number = 2147483647 WHERE {HERE}"],
        "sequenced-differs", 1),
    "the time of a step": Case(
        ["UPDATE ledger.steps SET published_at = 1 WHERE last_sequence > 1"], "step-time", None),
    "the rulebook's place": Case(["UPDATE ledger.rulebook SET position = position + 1"],
                                 "rulebook-differs", None),
}  # fmt: skip
NAMELESS = {"a deleted log", "the rulebook's place", "the time of a step"}
"""Cases whose finding names no budget: there is none any more, or all are meant."""


@pytest.fixture(scope="module")
async def paid_template(server, founded_template):
    """A founded database with payments and a transfer, and the position of a payment among them."""
    name = await create(server, founded_template)
    async with Ledger(server.dsn(name), clock=Clock()) as ledger:
        heard = await accepted(ledger, pay(), pay(amount="2.00"), send(OBLAST, RAYON))
        await sequenced(server.dsn(name))
    assert await check(server.dsn(name)) == []
    return name, heard[1].position


@pytest.fixture
async def paid(server, paid_template):
    """A copy of that database, and the position."""
    template, at = paid_template
    name = await create(server, template)
    await allow_schemas(server, name)
    return server.dsn(name), at


@pytest.mark.parametrize("name", CASES)
async def test_check_names_the_place_of_what_was_tampered(paid, name):
    dsn, at = paid
    case = CASES[name]
    await tamper(dsn, *(statement.format(at=at) for statement in case.statements))
    findings = await check(dsn)
    place = 0 if case.step is None else at + case.step
    found = [one for one in findings if one.code == case.code and case.message in one.message
             and (case.step is None or one.position == place)]  # fmt: skip
    assert found, [str(one) for one in findings]
    if name not in NAMELESS:
        assert RAYON in {one.budget for one in found}


@pytest.mark.parametrize("statement", [
    "ALTER TABLE ledger.events_2025 DISABLE TRIGGER keep_rows",
    "DROP TRIGGER keep_table ON ledger.steps",
    "ALTER TABLE ledger.lines ENABLE TRIGGER keep_rows",
])  # fmt: skip
async def test_check_names_a_guard_that_was_taken_off(paid, statement):
    dsn, _ = paid
    await query(dsn, statement)
    assert [one.code for one in await check(dsn)] == ["guard-missing"]


EDITED = {
    "budget_execution": [
        ("UPDATE {}.sums SET executed = executed + 1 WHERE executed > 0", "sums"),
        ("UPDATE {}.checkpoint SET sequence = sequence - 1", "sums"),
    ],
    "audit_trail": [("DELETE FROM {}.rows WHERE position = 3", "rows")],
    "transfers": [("UPDATE {}.facts SET amount_minor = amount_minor + 1", "facts")],
}


@pytest.mark.parametrize(("name", "statement", "table"), [
    (name, *edit) for name, edits in EDITED.items() for edit in edits
])  # fmt: skip
async def test_check_and_rebuild_name_an_edited_projection_row(paid, name, statement, table):
    dsn, _ = paid
    database = Database(dsn)
    await database.open()
    try:
        assert (await rebuild(database, name)).differences == ()
        assert await check_projections(database) == []
        schemas = await query(dsn, "SELECT nspname FROM pg_namespace ORDER BY 1")
        [live] = await query(dsn, "SELECT schema FROM projections.versions WHERE name = $1 "
                             "AND state = 'live'", name)  # fmt: skip
        await query(dsn, statement.format(live["schema"]))
        findings = await check_projections(database)
        assert {(one.code, one.message.split(":")[0]) for one in findings} == {
            ("projection-differs", f"{name}.{table}")
        }
        assert {one.budget for one in findings} <= {*BUDGETS}
        assert await query(dsn, "SELECT nspname FROM pg_namespace ORDER BY 1") == schemas
        report = await rebuild(database, name)
    finally:
        await database.close()
    if "checkpoint" not in statement:  # the rebuild brings the live one to the end first
        assert {one.table for one in report.differences} == {table}
    assert not report.swapped
