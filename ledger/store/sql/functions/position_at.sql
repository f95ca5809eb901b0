-- The last position of a log that has a sequence up to another; in a log, sequence follows
-- position. 0 where the log has none yet. It stands in the last step that holds the log and begins
-- in time, or where all its places there come later, in the one before.
CREATE OR REPLACE FUNCTION ledger.position_at(p_region int, p_log bigint, p_sequence bigint)
RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(max(u.position), 0)
    FROM ledger.sequenced AS d
    CROSS JOIN LATERAL (
        SELECT o.step FROM ledger.landmarks AS o
        WHERE o.region = d.region AND o.log = d.log AND o.sequence <= p_sequence
        ORDER BY o.position DESC LIMIT 1
    ) AS m
    CROSS JOIN LATERAL (
        SELECT o.* FROM ledger.steps AS o
        WHERE o.last_sequence >= m.step AND o.last_sequence <= (m.step | 131071)
            AND o.first_sequence <= p_sequence
            AND o.logs @> ARRAY[d.number]
        ORDER BY o.last_sequence DESC LIMIT 2
    ) AS t
    CROSS JOIN LATERAL unnest(t.logs, t.positions) WITH ORDINALITY AS u (number, position, n)
    WHERE d.region = p_region AND d.log = p_log
        AND u.number = d.number AND t.first_sequence + u.n - 1 <= p_sequence
$$;
