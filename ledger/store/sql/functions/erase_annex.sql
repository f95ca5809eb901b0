-- Destroy salts and values of one command of a log, all or the named fields.
CREATE OR REPLACE FUNCTION ledger.erase_annex(
    p_region int, p_log bigint, p_command_id uuid, p_fields text[]
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM ledger.annex
    WHERE region = p_region AND log = p_log AND command_id = p_command_id
        AND (p_fields = '{}' OR field = ANY (p_fields))
$$;
