-- The sequence of an event by budget code and position.
SELECT s.sequence
FROM ledger.heads AS h
CROSS JOIN LATERAL ledger.log_places(h.region, h.log, $2, $2) AS s
WHERE h.code = $1
