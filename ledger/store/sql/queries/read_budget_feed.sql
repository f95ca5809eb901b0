-- Sequenced events of one budget after a sequence: in a log, sequence follows position.
SELECT s.sequence, h.code, e.position, e.kind::text, e.command_id, e.recorded_at, e.hash, e.body
FROM ledger.heads AS h
CROSS JOIN LATERAL (
    SELECT ledger.position_at(h.region, h.log, $1::bigint) AS position OFFSET 0
) AS k
CROSS JOIN LATERAL ledger.log_places(
    h.region, h.log, k.position + 1, k.position + $2::bigint
) AS s
INNER JOIN ledger.events AS e
    ON e.region = h.region AND e.log = h.log AND e.position = s.position AND e.year = h.year
WHERE h.code = $3
ORDER BY s.sequence
