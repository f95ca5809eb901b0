-- Park a budget, or note that it failed again.
INSERT INTO projections.parked (schema, region, log, budget, applied, error)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (schema, region, log) DO UPDATE SET
    applied = excluded.applied, error = excluded.error
