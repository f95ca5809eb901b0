-- Which events have the sequences after one up to another: (sequence, region, log, position), in
-- the order of sequence as far as one step goes. Reads the steps of the range and nothing else, and
-- of a large step only the part that is asked for.
CREATE OR REPLACE FUNCTION ledger.places(p_after bigint, p_upto bigint)
RETURNS TABLE (sequence bigint, region int, log bigint, "position" bigint)
LANGUAGE sql STABLE
AS $$
    SELECT u.sequence, d.region, d.log, u.position
    FROM (
        SELECT
            r.first + n.n - 1 AS sequence, n.number, n.position
        FROM ledger.steps AS t
        CROSS JOIN LATERAL (
            SELECT
                greatest(t.first_sequence, p_after + 1) AS first,
                least(t.last_sequence, p_upto) AS last
        ) AS r
        CROSS JOIN LATERAL unnest(
            t.logs[r.first - t.first_sequence + 1 : r.last - t.first_sequence + 1],
            t.positions[r.first - t.first_sequence + 1 : r.last - t.first_sequence + 1]
        ) WITH ORDINALITY AS n (number, position, n)
        WHERE t.last_sequence > p_after AND t.last_sequence <= coalesce((
            SELECT min(o.last_sequence) FROM ledger.steps AS o WHERE o.last_sequence >= p_upto
        ), p_upto)
    ) AS u
    INNER JOIN ledger.sequenced AS d ON d.number = u.number
$$;
