-- The ledger's tables as of now. Every key begins with `region`, so that it can become the
-- distribution key of a distributed PostgreSQL (design §7). Migrations add up to this file.
CREATE SCHEMA ledger;

CREATE TABLE ledger.migrations (
    number int PRIMARY KEY,
    name text NOT NULL
);

-- One row a log: its place in the chain. The consistency and locking boundary.
CREATE TABLE ledger.heads (
    region int NOT NULL,
    log bigint NOT NULL,
    code text NOT NULL,
    year smallint NOT NULL,
    position bigint NOT NULL,
    hash bytea NOT NULL,
    recorded_at bigint NOT NULL,
    PRIMARY KEY (region, log)
) WITH (fillfactor = 70);

CREATE INDEX heads_code ON ledger.heads (code);

-- The rulebook's head as every append compares it (a reference table on a distributed engine).
CREATE TABLE ledger.rulebook (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL
);
INSERT INTO ledger.rulebook (position) VALUES (0);

-- The events: `body` is the exact bytes that were hashed; the typed columns beside it are a
-- copy that `qazyna check` compares. Amounts are changes in minor units.
CREATE TABLE ledger.events (
    region int NOT NULL,
    log bigint NOT NULL,
    position bigint NOT NULL,
    year smallint NOT NULL,
    command_id uuid NOT NULL,
    n int NOT NULL,
    kind text NOT NULL,
    recorded_at bigint NOT NULL,
    effective_from date NOT NULL,
    adopted_on date NOT NULL,
    month date,
    line int,
    contract text,
    payment uuid,
    account text,
    peer_region int,
    peer_log bigint,
    peer_position bigint,
    approved bigint,
    amended bigint,
    adjusted bigint,
    plan_receipts bigint,
    plan_commitments bigint,
    plan_payments bigint,
    accepted bigint,
    executed bigint,
    cash bigint,
    hash bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (region, log, position, year)
) PARTITION BY LIST (year);

-- Idempotency lives in the log; it also finds a command's answer again. `n` counts a command's
-- events in a region, so an id serves one command of a region (and fiscal year).
CREATE UNIQUE INDEX events_command ON ledger.events (region, command_id, n, year);

-- The dictionary of a log's lines, in the order of their first use.
CREATE TABLE ledger.lines (
    region int NOT NULL,
    log bigint NOT NULL,
    line int NOT NULL,
    path text[] NOT NULL,
    PRIMARY KEY (region, log, line)
);

-- Control balances: `content` holds facts and timelines, the columns the end-of-line figures,
-- guarded by CHECKs where a control stops (`guards`, one bit each): the last line of defence.
CREATE TABLE ledger.cells (
    region int NOT NULL,
    log bigint NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    number int NOT NULL,
    adjusted bigint NOT NULL,
    plan_receipts bigint NOT NULL,
    plan_commitments bigint NOT NULL,
    plan_payments bigint NOT NULL,
    accepted bigint NOT NULL,
    executed bigint NOT NULL,
    cash bigint NOT NULL,
    guards int NOT NULL,
    tolerance bigint NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (region, log, kind, key),
    CONSTRAINT cash CHECK (guards & 1 = 0 OR cash >= -tolerance),
    CONSTRAINT payments_plan CHECK (guards & 2 = 0 OR executed <= plan_payments + tolerance),
    CONSTRAINT unused_registration CHECK (guards & 4 = 0 OR executed <= accepted + tolerance),
    CONSTRAINT commitments_plan CHECK (
        guards & 8 = 0 OR accepted <= plan_commitments + tolerance
    ),
    CONSTRAINT appropriation CHECK (
        guards & 16 = 0
        OR greatest(plan_payments, plan_commitments, executed) <= adjusted + tolerance
    ),
    CONSTRAINT plan_balance CHECK (guards & 32 = 0 OR plan_payments <= plan_receipts + tolerance)
) WITH (fillfactor = 70);

-- The gapless place of every event in the whole ledger, given after commit.
CREATE TABLE ledger.sequences (
    sequence bigint PRIMARY KEY,
    region int NOT NULL,
    log bigint NOT NULL,
    position bigint NOT NULL,
    UNIQUE (region, log, position)
);

-- How far each log is sequenced.
CREATE TABLE ledger.sequenced (
    region int NOT NULL,
    log bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (region, log)
) WITH (fillfactor = 70);

-- Steps of the sequencer: readers apply whole steps; `known = T` is the last one published by T.
CREATE TABLE ledger.steps (
    last_sequence bigint PRIMARY KEY,
    published_at bigint NOT NULL
);

CREATE INDEX steps_published ON ledger.steps (published_at);

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
