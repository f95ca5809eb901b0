-- Keep personal values of commands of one region beside the events that commit to them.
CREATE OR REPLACE FUNCTION ledger.keep_annex(
    p_region int, p_log bigint[], p_command_id uuid[], p_field text[], p_salt bytea[],
    p_value text[]
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO ledger.annex (region, log, command_id, field, salt, value)
    SELECT p_region, t.*
    FROM unnest(p_log, p_command_id, p_field, p_salt, p_value) AS t
$$;
