-- The line dictionary of some logs.
SELECT region, log, line, path
FROM ledger.lines
INNER JOIN unnest($1::int [], $2::bigint []) AS t (region, log) USING (region, log)
