-- Every head.
SELECT region, log, code, year, position, hash, recorded_at
FROM ledger.heads
ORDER BY code
