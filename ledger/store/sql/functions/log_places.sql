-- Which sequences the positions of one log from one to another have, as far as it is sequenced.
-- Reads the steps of the stretches that hold them: of each, at most 131 072 places. The arrays are
-- taken apart once a step (a subscript would unpack them for each place), and SET keeps the
-- function from being inlined and run again for each event that it is joined with.
CREATE OR REPLACE FUNCTION ledger.log_places(
    p_region int, p_log bigint, p_first bigint, p_last bigint
) RETURNS TABLE (sequence bigint, "position" bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.first_sequence + u.n - 1, u.position
    FROM ledger.sequenced AS d
    INNER JOIN ledger.landmarks AS m ON m.region = d.region AND m.log = d.log
        AND m.position <= least(p_last, d.position) AND m.position >= coalesce((
            SELECT max(o.position) FROM ledger.landmarks AS o
            WHERE o.region = p_region AND o.log = p_log AND o.position <= p_first
        ), 1)
    INNER JOIN ledger.steps AS t
        ON t.last_sequence >= m.step AND t.last_sequence <= (m.step | 131071)
        AND t.logs @> ARRAY[d.number]
    CROSS JOIN LATERAL unnest(t.logs, t.positions) WITH ORDINALITY AS u (number, position, n)
    WHERE d.region = p_region AND d.log = p_log AND d.position >= p_first
        AND u.number = d.number AND u.position >= p_first AND u.position <= p_last
$$;
