-- One log with its place and the facts of its budget.
SELECT h.region, h.log, h.code, h.year, h.position, h.hash, h.recorded_at, c.content
FROM ledger.heads AS h
LEFT JOIN ledger.cells AS c
    ON c.region = h.region AND c.log = h.log AND c.kind = 'budget' AND c.key = ''
WHERE h.code = $1
