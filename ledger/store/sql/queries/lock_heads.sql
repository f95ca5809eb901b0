-- Lock the heads of one region in order of log.
SELECT region, log, code, year, position, hash, recorded_at
FROM ledger.lock_heads($1, $2::bigint[])
