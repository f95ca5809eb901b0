-- Everything stored of one log, in every partition.
SELECT *
FROM ledger.events
WHERE region = $1 AND log = $2
ORDER BY position
