-- Keep a span's movements of special accounts. Belongs to a version, as its tables do.
CREATE FUNCTION fold(
    p_parked text, p_after bigint, p_upto bigint, p_region int, p_log bigint, p_kinds ledger.kind []
) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO movements (
        region, log, account, sequence, position, kind, value_date, recorded_at, amount_minor,
        command_id
    )
    SELECT
        e.region, e.log, e.account, s.sequence, e.position, e.kind, e.effective_from,
        e.recorded_at, coalesce(e.cash, 0), e.command_id
    FROM projections.placed(p_parked, p_after, p_upto, p_region, p_log) AS s
    CROSS JOIN LATERAL (
        SELECT * FROM ledger.events AS v
        WHERE v.region = s.region AND v.year = s.year AND v.log = s.log
            AND v.position = s.position AND v.account IS NOT NULL AND v.kind = ANY (p_kinds)
        OFFSET 0
    ) AS e;
END
$$;
