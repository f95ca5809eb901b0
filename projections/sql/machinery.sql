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

-- Which places of which logs a span of sequences holds: in a log, sequence follows position. One
-- of the two parts runs: a span of all logs, or of one. OFFSET 0 gives the year before the events
-- are looked up: without it their key serves by its first column only.
CREATE OR REPLACE FUNCTION projections.moved(
    p_parked text, p_after bigint, p_upto bigint, p_region int, p_log bigint
) RETURNS TABLE (region int, log bigint, year smallint, first bigint, last bigint)
LANGUAGE sql STABLE
AS $$
    SELECT h.region, h.log, h.year, m.first, m.last
    FROM (
        SELECT s.region, s.log, min(s.position) AS first, max(s.position) AS last
        FROM ledger.places(p_after, p_upto) AS s
        WHERE p_log IS NULL
        GROUP BY s.region, s.log
        UNION ALL
        SELECT p_region, p_log, o.first, o.last
        FROM (
            SELECT ledger.position_at(p_region, p_log, p_after) + 1 AS first,
                ledger.position_at(p_region, p_log, p_upto) AS last
            WHERE p_log IS NOT NULL
        ) AS o
        WHERE o.last >= o.first
    ) AS m
    INNER JOIN ledger.heads AS h ON h.region = m.region AND h.log = m.log
    WHERE p_log IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM projections.parked AS p
        WHERE p.schema = p_parked AND p.region = h.region AND p.log = h.log
    )
    OFFSET 0
$$;

-- Whether any control of the rulebook has ever had the mode "warn": else no event has flags, and
-- no body needs to be searched for them.
CREATE OR REPLACE FUNCTION projections.may_warn() RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT EXISTS (
        SELECT 1
        FROM ledger.heads AS h
        INNER JOIN ledger.events AS e ON e.region = h.region AND e.log = h.log AND e.year = h.year
        WHERE h.code = 'rulebook' AND position('"warn"'::bytea IN e.body) > 0
    )
$$;

-- The sum of changes, 0 of none: bigint throughout, where `sum` would go through numeric. Beyond
-- bigint it fails, as it must.
DO $do$
BEGIN
    IF to_regprocedure('projections.total(bigint)') IS NULL THEN
        CREATE AGGREGATE projections.total(bigint) (
            sfunc = int8pl, stype = bigint, initcond = '0', combinefunc = int8pl, parallel = safe
        );
    END IF;
END
$do$;

-- The places of a span of sequences with the years of their logs, of all logs but parked ones or of
-- one. Each year is looked up by itself: joined with `moved`, a span of many logs is gone through
-- once a place, as the planner expects few rows of either.
CREATE OR REPLACE FUNCTION projections.placed(
    p_parked text, p_after bigint, p_upto bigint, p_region int, p_log bigint
) RETURNS TABLE (sequence bigint, region int, log bigint, year smallint, "position" bigint)
LANGUAGE sql STABLE
AS $$
    SELECT s.sequence, s.region, s.log, h.year, s.position
    FROM (
        SELECT a.sequence, a.region, a.log, a.position
        FROM ledger.places(p_after, p_upto) AS a
        WHERE p_log IS NULL
        UNION ALL
        SELECT o.sequence, p_region, p_log, o.position
        FROM ledger.log_places(
            p_region, p_log, ledger.position_at(p_region, p_log, p_after) + 1,
            ledger.position_at(p_region, p_log, p_upto)
        ) AS o
        WHERE p_log IS NOT NULL
    ) AS s
    CROSS JOIN LATERAL (
        SELECT d.year FROM ledger.heads AS d
        WHERE d.region = s.region AND d.log = s.log
        OFFSET 0
    ) AS h
    WHERE p_log IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM projections.parked AS p
        WHERE p.schema = p_parked AND p.region = s.region AND p.log = s.log
    )
    OFFSET 0
$$;

-- Take a step, in one call: keep the version (the live one unless another is named) in place, let
-- unqualified names mean its tables, move its checkpoint, and say which events come next: whole
-- steps of at most p_chunk events, or up to p_upto. No row where there is no live version.
-- With p_plain, the kinds that need nothing but the version's own function `fold` (it has one where
-- p_folded names any), the step is taken whole and in its own transaction, or, `left`, not at all;
-- without, the caller's transaction folds. p_flags: a flagged event asks for the caller, too.
-- A statement that waited for a swap sees the old row, no longer live, and not yet the new one; the
-- next one does. What a crash loses of a version is applied again, so that nobody waits for the
-- disk. (Locking and moving a checkpoint in ONE statement projects nothing.)
CREATE OR REPLACE FUNCTION projections.take_step(
    p_name text, p_version text, p_upto bigint, p_chunk bigint,
    p_plain text [], p_folded text [], p_flags boolean
) RETURNS TABLE (
    version text, before bigint, after bigint, published bigint, kinds text [], flagged boolean,
    "left" boolean
)
LANGUAGE plpgsql
AS $$
BEGIN
    version := p_version;
    FOR n IN 1..5 LOOP
        EXIT WHEN version IS NOT NULL;
        SELECT v.schema INTO version FROM projections.versions AS v
        WHERE v.name = p_name AND v.state = 'live' FOR SHARE;
    END LOOP;
    IF version IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('search_path', version || ', pg_catalog', true),
        set_config('synchronous_commit', 'off', true);
    SELECT c.sequence INTO before FROM checkpoint AS c FOR UPDATE;
    SELECT coalesce(max(t.last_sequence), 0) INTO published FROM ledger.steps AS t;
    after := greatest(before, coalesce(p_upto, (
        SELECT t.last_sequence FROM ledger.steps AS t
        WHERE t.last_sequence > before AND t.last_sequence <= before + p_chunk
        ORDER BY t.last_sequence DESC LIMIT 1
    ), (
        SELECT t.last_sequence FROM ledger.steps AS t
        WHERE t.last_sequence > before
        ORDER BY t.last_sequence LIMIT 1
    )));
    "left" := false;
    IF after > before THEN
        SELECT coalesce(array_agg(k.kind::text), '{}'), coalesce(bool_or(k.flagged), false)
        INTO kinds, flagged
        FROM (
            SELECT e.kind, bool_or(
                (SELECT projections.may_warn()) AND position('"flags":['::bytea IN e.body) > 0
            ) AS flagged
            FROM projections.moved(version, before, after, NULL, NULL) AS m
            INNER JOIN ledger.events AS e
                ON e.region = m.region AND e.log = m.log AND e.year = m.year
                AND e.position >= m.first AND e.position <= m.last
            GROUP BY e.kind
        ) AS k;
        IF p_plain IS NOT NULL AND (NOT kinds <@ p_plain OR flagged AND p_flags) THEN
            "left" := true;
        ELSE
            IF p_plain IS NOT NULL AND kinds && p_folded THEN
                PERFORM fold(version, before, after, NULL, NULL, p_folded::ledger.kind []);
            END IF;
            UPDATE checkpoint SET sequence = after;
        END IF;
    END IF;
    RETURN NEXT;
END
$$;

GRANT USAGE ON SCHEMA projections TO qazyna_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA projections TO qazyna_reader;
