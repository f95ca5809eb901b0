-- The older days of some cells of a log, part by part.
SELECT p.kind, p.key, p.measure, p.content
FROM unnest($3::text [], $4::text []) AS w (kind, key)
INNER JOIN ledger.past_days AS p
    ON p.region = $1 AND p.log = $2 AND p.kind = w.kind AND p.key = w.key
ORDER BY p.kind, p.key, p.measure, p.last_day
