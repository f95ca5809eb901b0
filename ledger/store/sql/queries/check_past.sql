-- The older days of the cells of some logs, part by part.
SELECT region, log, kind, key, measure, last_day, content
FROM ledger.past_days
INNER JOIN unnest($1::int [], $2::bigint []) AS t (region, log) USING (region, log)
ORDER BY region, log, kind, key, measure, last_day
