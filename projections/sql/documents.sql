-- The bodies of a span's events of some kinds.
SELECT
    s.sequence, e.region, e.log, h.code, e.position, e.kind, e.recorded_at, e.effective_from,
    e.adopted_on, e.command_id, e.body
FROM projections.moved($1, $2, $3, $4, $5) AS m
INNER JOIN ledger.events AS e
    ON e.region = m.region AND e.log = m.log AND e.year = m.year
    AND e.position >= m.first AND e.position <= m.last
INNER JOIN projections.placed($2, $3, $4, $5) AS s
    ON s.region = e.region AND s.log = e.log AND s.position = e.position
INNER JOIN ledger.heads AS h ON h.region = e.region AND h.log = e.log
WHERE e.kind = ANY ($6::text [])
ORDER BY s.sequence
