-- Migration 0003: places in the whole ledger are kept a row a step instead of a row an event
-- (docs/decisions/0009). What was sequenced keeps its sequence.
DROP VIEW ledger.stored_events;
CREATE SCHEMA ledger_before_0003;
ALTER TABLE ledger.sequences SET SCHEMA ledger_before_0003;
ALTER TABLE ledger.sequenced SET SCHEMA ledger_before_0003;
ALTER TABLE ledger.steps SET SCHEMA ledger_before_0003;

-- How far each log is sequenced, in which step (its last sequence) last; and the log's `number`
-- in the steps, given with its first one.
CREATE TABLE ledger.sequenced (
    region int NOT NULL,
    log bigint NOT NULL,
    number int NOT NULL,
    position bigint NOT NULL,
    step bigint NOT NULL,
    PRIMARY KEY (region, log),
    CONSTRAINT sequenced_number UNIQUE (number)
) WITH (fillfactor = 70);

-- Steps of the sequencer: readers apply whole steps; `known = T` is the last one published by T.
-- The n-th event of a step stands in log `logs[n]` (a number of `sequenced`) at `positions[n]`
-- and has the sequence `first_sequence + n - 1`: the gapless place of every event in the whole
-- ledger, given after commit.
CREATE TABLE ledger.steps (
    last_sequence bigint PRIMARY KEY,
    first_sequence bigint NOT NULL,
    published_at bigint NOT NULL,
    logs int[] NOT NULL,
    positions bigint[] NOT NULL
);

CREATE INDEX steps_published ON ledger.steps (published_at);

-- The first place of a log in each stretch of 131 072 sequences (`ledger.stretch_end`): where the
-- search for the sequence of a position begins.
CREATE TABLE ledger.landmarks (
    region int NOT NULL,
    log bigint NOT NULL,
    position bigint NOT NULL,
    sequence bigint NOT NULL,
    step bigint NOT NULL,
    PRIMARY KEY (region, log, position)
);

INSERT INTO ledger.sequenced (region, log, number, position, step)
SELECT d.region, d.log, row_number() OVER (ORDER BY f.first), d.position, f.last
FROM ledger_before_0003.sequenced AS d
CROSS JOIN LATERAL (
    SELECT min(s.sequence) AS first, (
        SELECT min(t.last_sequence) FROM ledger_before_0003.steps AS t
        WHERE t.last_sequence >= max(s.sequence)
    ) AS last
    FROM ledger_before_0003.sequences AS s WHERE s.region = d.region AND s.log = d.log
) AS f;

INSERT INTO ledger.steps (last_sequence, first_sequence, published_at, logs, positions)
SELECT
    t.last_sequence, t.before + 1, t.published_at, array_agg(d.number ORDER BY s.sequence),
    array_agg(s.position ORDER BY s.sequence)
FROM (
    SELECT *, coalesce(lag(o.last_sequence) OVER (ORDER BY o.last_sequence), 0) AS before
    FROM ledger_before_0003.steps AS o
) AS t
INNER JOIN ledger_before_0003.sequences AS s
    ON s.sequence > t.before AND s.sequence <= t.last_sequence
INNER JOIN ledger.sequenced AS d ON d.region = s.region AND d.log = s.log
GROUP BY t.last_sequence, t.before, t.published_at
ORDER BY t.last_sequence;

INSERT INTO ledger.landmarks (region, log, position, sequence, step)
SELECT DISTINCT ON (d.region, d.log, t.last_sequence >> 17)
    d.region, d.log, u.position, t.first_sequence + u.n - 1, t.last_sequence
FROM ledger.steps AS t
CROSS JOIN LATERAL unnest(t.logs, t.positions) WITH ORDINALITY AS u (number, position, n)
INNER JOIN ledger.sequenced AS d ON d.number = u.number
ORDER BY d.region, d.log, t.last_sequence >> 17, u.position;

DROP SCHEMA ledger_before_0003 CASCADE;

-- Every sequenced event's place, in no order; `ledger.places` gives a range, `ledger.log_places`
-- one log's without reading the rest.
CREATE VIEW ledger.sequences AS
SELECT
    t.first_sequence + u.n - 1 AS sequence, d.region, d.log, u.position
FROM ledger.steps AS t
CROSS JOIN LATERAL unnest(t.logs, t.positions) WITH ORDINALITY AS u (number, position, n)
INNER JOIN ledger.sequenced AS d ON d.number = u.number;

-- What the unmodified `eventsourcing` library reads (design §3).
CREATE VIEW ledger.stored_events AS
SELECT
    h.code AS originator_id,
    s.position AS originator_version,
    e.kind AS topic,
    e.body AS state,
    s.sequence AS notification_id
FROM ledger.sequences AS s
INNER JOIN ledger.heads AS h ON h.region = s.region AND h.log = s.log
CROSS JOIN LATERAL (
    -- OFFSET 0 keeps the planner from joining the whole history before ORDER BY … LIMIT.
    SELECT v.kind, v.body FROM ledger.events AS v
    WHERE v.region = s.region AND v.log = s.log AND v.position = s.position AND v.year = h.year
    OFFSET 0
) AS e;
