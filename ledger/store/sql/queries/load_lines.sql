-- All lines of logs: for what looks at a budget as a whole.
SELECT log, kind, key, number, content
FROM ledger.cells
WHERE region = $1 AND log = ANY ($2::bigint[]) AND kind = 'line'
