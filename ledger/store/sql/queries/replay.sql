-- The whole sequenced history in order, for replay.
SELECT s.sequence, s.region, h.code, e.position, e.hash, e.body
FROM ledger.sequences AS s
INNER JOIN ledger.heads AS h ON h.region = s.region AND h.log = s.log
INNER JOIN ledger.events AS e
    ON e.region = s.region AND e.log = s.log AND e.position = s.position AND e.year = h.year
ORDER BY s.sequence
