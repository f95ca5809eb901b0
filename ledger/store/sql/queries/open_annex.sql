-- Salts and values that are kept of one command of a log.
SELECT field, salt, value FROM ledger.annex
WHERE region = $1 AND log = $2 AND command_id = $3
ORDER BY field
