-- Tell, for values that come again, whether they are those that are kept; who asks reads none.
CREATE OR REPLACE FUNCTION ledger.compare_annex(
    p_region int, p_command_id uuid[], p_field text[], p_value text[]
) RETURNS TABLE (command_id uuid, field text, same boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.command_id, a.field, a.value = t.value
    FROM unnest(p_command_id, p_field, p_value) AS t (command_id, field, value)
    INNER JOIN ledger.annex AS a
        ON a.region = p_region AND a.command_id = t.command_id AND a.field = t.field
$$;
