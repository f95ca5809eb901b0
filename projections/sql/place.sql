-- Where a budget's position stands in the ledger, and up to where a projection shows the budget.
SELECT h.region, h.log, h.position AS head, s.sequence
FROM ledger.heads AS h
LEFT JOIN ledger.sequences AS s
    ON s.region = h.region AND s.log = h.log AND s.position = $2
WHERE h.code = $1
