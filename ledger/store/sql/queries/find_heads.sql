-- Heads of logs by budget code.
SELECT region, log, code, year, position, hash, recorded_at
FROM ledger.heads
WHERE code = ANY ($1::text[])
