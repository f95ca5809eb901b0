-- Lock the heads of one region in order of log; what they say is committed.
SELECT region, log, code, year, position, hash, recorded_at
FROM ledger.heads
WHERE region = $1 AND log = ANY ($2::bigint[])
ORDER BY region, log
FOR NO KEY UPDATE
