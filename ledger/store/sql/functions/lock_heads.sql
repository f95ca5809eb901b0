-- Lock heads of one region in order of log until the transaction ends and return them; what they
-- say is committed. A function, because row locks need a right that the writer does not have.
CREATE OR REPLACE FUNCTION ledger.lock_heads(p_region int, p_logs bigint[])
RETURNS SETOF ledger.heads
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT * FROM ledger.heads
    WHERE region = p_region AND log = ANY (p_logs)
    ORDER BY region, log
    FOR NO KEY UPDATE
$$;
