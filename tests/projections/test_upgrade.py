"""What a release before left in the database does not keep this one from starting."""

from typing import Any

from projections.versions import prepare

OLD = """
DROP FUNCTION projections.placed(text, bigint, bigint, int, bigint);
CREATE FUNCTION projections.placed(
    p_parked text, p_after bigint, p_upto bigint, p_region int, p_log bigint
) RETURNS TABLE (sequence bigint, region int, log bigint, year smallint, "position" bigint)
LANGUAGE sql AS 'SELECT 1::bigint, 1, 1::bigint, 1::smallint, 1::bigint';
CREATE FUNCTION projections.placed(p_after bigint, p_upto bigint, p_region int, p_log bigint)
RETURNS TABLE (sequence bigint, region int, log bigint, "position" bigint)
LANGUAGE sql AS 'SELECT 1::bigint, 1, 1::bigint, 1::bigint';
CREATE FUNCTION projections.begin_step(p_name text) RETURNS void LANGUAGE sql AS '';
"""
FUNCTIONS = """
SELECT p.oid::regprocedure::text AS name, pg_get_function_result(p.oid) AS result
FROM pg_proc AS p WHERE pronamespace = 'projections'::regnamespace ORDER BY name
"""


async def test_functions_of_another_shape_are_made_anew(book: Any) -> None:
    new = await book.admin(FUNCTIONS)
    connection = await book.ledger.database.listen("projector")
    try:
        await connection.execute(OLD)
        assert await book.admin(FUNCTIONS) != new
        assert await prepare(connection) == []
        assert await book.admin(FUNCTIONS) == new
        oids = "SELECT oid FROM pg_proc WHERE pronamespace = 'projections'::regnamespace ORDER BY 1"
        before = await connection.fetch(oids)
        await prepare(connection)
        assert await connection.fetch(oids) == before
    finally:
        await connection.close()
