-- What all projections share: which version of each is live, and which budgets are parked.
CREATE SCHEMA IF NOT EXISTS projections;

-- A projection's tables live in a schema per version; readers see the live one through views.
CREATE TABLE IF NOT EXISTS projections.versions (
    name text NOT NULL,
    number int NOT NULL,
    schema text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('building', 'live', 'old')),
    fingerprint text NOT NULL,
    PRIMARY KEY (name, number)
);
CREATE UNIQUE INDEX IF NOT EXISTS versions_live ON projections.versions (name)
WHERE state = 'live';

-- A budget whose events cannot be applied waits here; `applied` is the last sequence it has.
CREATE TABLE IF NOT EXISTS projections.parked (
    schema text NOT NULL,
    region int NOT NULL,
    log bigint NOT NULL,
    budget text NOT NULL,
    applied bigint NOT NULL,
    error text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (schema, region, log)
);

-- Which places of which logs a span of sequences holds: in a log, sequence follows position.
CREATE OR REPLACE FUNCTION projections.moved(
    p_parked text, p_after bigint, p_upto bigint, p_region int, p_log bigint
) RETURNS TABLE (region int, log bigint, year smallint, first bigint, last bigint)
LANGUAGE sql STABLE
AS $$
    SELECT h.region, h.log, h.year, m.first, m.last
    FROM (
        SELECT s.region, s.log, min(s.position) AS first, max(s.position) AS last
        FROM ledger.sequences AS s
        WHERE s.sequence > p_after AND s.sequence <= p_upto
            AND (p_log IS NULL OR (s.region = p_region AND s.log = p_log))
        GROUP BY s.region, s.log
    ) AS m
    INNER JOIN ledger.heads AS h ON h.region = m.region AND h.log = m.log
    WHERE p_log IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM projections.parked AS p
        WHERE p.schema = p_parked AND p.region = h.region AND p.log = h.log
    )
$$;

GRANT USAGE ON SCHEMA projections TO qazyna_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA projections TO qazyna_reader;
