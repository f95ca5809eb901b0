-- The events of a span with their bodies and the paths of their lines, in sequence.
SELECT
    s.sequence, e.region, e.log, h.code, e.position, e.kind::text, e.command_id, e.recorded_at,
    e.effective_from, e.adopted_on, e.month, e.line, l.path, e.contract, e.account,
    e.peer_region, e.peer_log, e.approved, e.amended, e.adjusted, e.plan_receipts,
    e.plan_commitments, e.plan_payments, e.accepted, e.executed, e.cash, e.body
FROM projections.placed($1, $2, $3, $4, $5) AS s
CROSS JOIN LATERAL (
    SELECT * FROM ledger.events AS v
    WHERE v.region = s.region AND v.year = s.year AND v.log = s.log AND v.position = s.position
    OFFSET 0
) AS e
INNER JOIN ledger.heads AS h ON h.region = s.region AND h.log = s.log
LEFT JOIN ledger.lines AS l ON l.region = e.region AND l.log = e.log AND l.line = e.line
ORDER BY s.sequence
