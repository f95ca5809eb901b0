"""Arrays as their text: what PostgreSQL reads is what was written."""

from datetime import date

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.store.rows import days, numbers, texts
from ledger.terms import clean

BIGINTS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30).map(clean)
TRICKY = ["", "NULL", "null", "None", '"', "\\", '\\"', "{}", "a,b", " a ", "ә", '["a","b"]', "'"]


async def read(dsn, statement, written):
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement, written)
    finally:
        await connection.close()


@given(st.lists(st.none() | BIGINTS, min_size=1, max_size=40))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture],
          deadline=None)  # fmt: skip
async def test_numbers_come_back_as_they_were(dsn, column):
    found = await read(dsn, "SELECT $1::text::bigint[]", numbers(tuple(column)))
    assert found == ([] if all(value is None for value in column) else column)


@given(st.lists(st.none() | TEXTS | st.sampled_from(TRICKY), min_size=1, max_size=20))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture],
          deadline=None)  # fmt: skip
async def test_texts_come_back_as_they_were(dsn, column):
    found = await read(dsn, "SELECT $1::text::text[]", texts(tuple(column)))
    assert found == ([] if all(value is None for value in column) else column)


async def test_days_come_back_as_they_were(dsn):
    column = (date(2025, 1, 31), None, date.max, date(1, 1, 1))
    assert await read(dsn, "SELECT $1::text::date[]", days(column)) == list(column)
