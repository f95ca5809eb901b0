-- Sequenced events of the whole ledger after a sequence.
SELECT s.sequence, h.code, e.position, e.kind, e.command_id, e.recorded_at, e.hash, e.body
FROM ledger.sequences AS s
INNER JOIN ledger.heads AS h ON h.region = s.region AND h.log = s.log
INNER JOIN ledger.events AS e
    ON e.region = s.region AND e.log = s.log AND e.position = s.position AND e.year = h.year
WHERE s.sequence > $1
ORDER BY s.sequence
LIMIT $2
