-- Sequenced events of one budget after a sequence.
SELECT s.sequence, h.code, e.position, e.kind, e.command_id, e.recorded_at, e.hash, e.body
FROM ledger.heads AS h
INNER JOIN ledger.sequences AS s ON s.region = h.region AND s.log = h.log
INNER JOIN ledger.events AS e
    ON e.region = s.region AND e.log = s.log AND e.position = s.position AND e.year = h.year
WHERE h.code = $3 AND s.sequence > $1
ORDER BY s.sequence
LIMIT $2
