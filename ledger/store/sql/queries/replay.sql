-- The whole sequenced history in order, for replay. Places are sorted before bodies are fetched.
SELECT s.sequence, s.region, h.code, s.position, e.hash, e.body
FROM (
    SELECT * FROM ledger.sequences ORDER BY sequence
) AS s
INNER JOIN ledger.heads AS h ON h.region = s.region AND h.log = s.log
CROSS JOIN LATERAL (
    SELECT v.hash, v.body FROM ledger.events AS v
    WHERE v.region = s.region AND v.log = s.log AND v.position = s.position AND v.year = h.year
    OFFSET 0
) AS e
ORDER BY s.sequence
