-- The line dictionary of one log.
SELECT line, path
FROM ledger.lines
WHERE region = $1 AND log = $2
