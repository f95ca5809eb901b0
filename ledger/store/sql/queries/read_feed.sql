-- Sequenced events of the whole ledger after a sequence. The page is cut before the join.
SELECT s.sequence, h.code, s.position, e.kind, e.command_id, e.recorded_at, e.hash, e.body
FROM (
    SELECT * FROM ledger.sequences WHERE sequence > $1 ORDER BY sequence LIMIT $2
) AS s
INNER JOIN ledger.heads AS h ON h.region = s.region AND h.log = s.log
CROSS JOIN LATERAL (
    SELECT * FROM ledger.events AS v
    WHERE v.region = s.region AND v.log = s.log AND v.position = s.position AND v.year = h.year
    OFFSET 0
) AS e
ORDER BY s.sequence
