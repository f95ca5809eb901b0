-- Keep a span's movements of special accounts. Belongs to a version, as its tables do.
CREATE FUNCTION fold(
    p_parked text, p_after bigint, p_upto bigint, p_region int, p_log bigint, p_kinds text []
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
    FROM projections.moved(p_parked, p_after, p_upto, p_region, p_log) AS m
    INNER JOIN ledger.events AS e
        ON e.region = m.region AND e.log = m.log AND e.year = m.year
        AND e.position >= m.first AND e.position <= m.last
    INNER JOIN projections.placed(p_after, p_upto, p_region, p_log) AS s
        ON s.region = e.region AND s.log = e.log AND s.position = e.position
    WHERE e.account IS NOT NULL AND e.kind = ANY (p_kinds);
END
$$;
