-- Write totals.
INSERT INTO totals (region, log, subject, key, measure, minor)
SELECT * FROM unnest(
    $1::int [], $2::bigint [], $3::text [], $4::text [], $5::text [], $6::bigint []
)
ON CONFLICT (region, log, subject, key, measure) DO UPDATE SET minor = excluded.minor
