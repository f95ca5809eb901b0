-- The totals of some subjects.
SELECT t.region, t.log, t.subject, t.key, t.measure, t.minor
FROM unnest($1::int [], $2::bigint [], $3::text [], $4::text [])
    AS w (region, log, subject, key)
INNER JOIN totals AS t
    ON t.region = w.region AND t.log = w.log AND t.subject = w.subject AND t.key = w.key
