-- The bodies of a span's events of some kinds.
SELECT
    s.sequence, e.region, e.log, h.code, e.position, e.kind::text, e.recorded_at, e.effective_from,
    e.adopted_on, e.command_id, e.body
FROM projections.placed($1, $2, $3, $4, $5) AS s
CROSS JOIN LATERAL (
    SELECT * FROM ledger.events AS v
    WHERE v.region = s.region AND v.year = s.year AND v.log = s.log AND v.position = s.position
        AND v.kind = ANY ((SELECT $6::text []::ledger.kind [])::ledger.kind [])
    OFFSET 0
) AS e
INNER JOIN ledger.heads AS h ON h.region = s.region AND h.log = s.log
ORDER BY s.sequence
