-- Sequenced events of the whole ledger after a sequence. The page is cut before the join: a
-- sequence has no gaps.
SELECT s.sequence, h.code, s.position, e.kind::text, e.command_id, e.recorded_at, e.hash, e.body
FROM (
    SELECT * FROM ledger.places($1::bigint, least($1, 4611686018427387904) + $2::bigint)
    ORDER BY sequence
) AS s
INNER JOIN ledger.heads AS h ON h.region = s.region AND h.log = s.log
CROSS JOIN LATERAL (
    SELECT * FROM ledger.events AS v
    WHERE v.region = s.region AND v.log = s.log AND v.position = s.position AND v.year = h.year
    OFFSET 0
) AS e
ORDER BY s.sequence
