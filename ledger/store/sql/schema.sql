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

-- The kinds of events that a release knows, four bytes each (README.md: how a new one is added).
CREATE TYPE ledger.kind AS ENUM (
    'budget.adjusted',
    'budget.amended',
    'budget.approved',
    'budget.cash_expenditure.recovered',
    'budget.commitment.cancelled',
    'budget.commitment.changed',
    'budget.commitment.registered',
    'budget.exempt_list.set',
    'budget.exempt_name.resolved',
    'budget.line.adjusted',
    'budget.line.amended',
    'budget.line.approved',
    'budget.opened',
    'budget.payment.executed',
    'budget.payment.rejected',
    'budget.payment.returned',
    'budget.plan.changed',
    'budget.plan.month.changed',
    'budget.plan.set',
    'budget.receipt.credited',
    'budget.receipt.refunded',
    'budget.sequestration.applied',
    'budget.sequestration.ordered',
    'budget.special_account.closed',
    'budget.special_account.credited',
    'budget.special_account.debited',
    'budget.special_account.opened',
    'budget.transfer.received',
    'budget.transfer.sent',
    'budget.transfer.set',
    'ledger.annex.erased',
    'ledger.command.refused',
    'rulebook.classifier.published',
    'rulebook.jurisdiction.adopted'
);

-- The events: `body` is the exact bytes that were hashed; the typed columns beside it are a
-- copy that `qazyna check` compares. Amounts are changes in minor units. Columns stand by their
-- alignment, wide and always filled ones first: no byte of a row is padding that need not be.
CREATE TABLE ledger.events (
    log bigint NOT NULL,
    position bigint NOT NULL,
    recorded_at bigint NOT NULL,
    region int NOT NULL,
    kind ledger.kind NOT NULL,
    effective_from date NOT NULL,
    adopted_on date NOT NULL,
    year smallint NOT NULL,
    n smallint NOT NULL,
    command_id uuid NOT NULL,
    line int,
    month date,
    peer_region int,
    approved bigint,
    amended bigint,
    adjusted bigint,
    plan_receipts bigint,
    plan_commitments bigint,
    plan_payments bigint,
    accepted bigint,
    executed bigint,
    cash bigint,
    peer_log bigint,
    peer_position bigint,
    payment uuid,
    contract text,
    account text,
    hash bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (region, year, log, position)
) PARTITION BY LIST (year);

-- Idempotency lives in the log; it also finds a command's answer again. `n` counts a command's
-- events in a region (and stands still at 32 767), so an id serves one command of a region (and
-- fiscal year). The first event stands for all: a command's events follow each other in a log.
CREATE UNIQUE INDEX events_command ON ledger.events (region, command_id, year) WHERE n = 0;

-- The few documents that name lines: a rebuild and `known = T` look for their titles.
CREATE INDEX events_documents ON ledger.events (region, year, log, position)
WHERE kind IN ('budget.approved', 'budget.amended');

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

-- Older days of the cells' timelines, cut off so that a posting does not rewrite a whole year: the
-- part of a measure up to `last_day` (proleptic Gregorian ordinal), `content` its days and sums.
CREATE TABLE ledger.past_days (
    region int NOT NULL,
    log bigint NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    measure text NOT NULL,
    last_day int NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (region, log, kind, key, measure, last_day)
);

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

-- Full tiles of the tree (C2SP tlog-tiles). `hashes` are 256 hashes of 32 bytes, `root` the hash
-- above them: roots in a row are the next level's partial tile. What is partial at level 0 is
-- computed from the events, so a row here never changes.
CREATE TABLE ledger.tiles (
    level smallint NOT NULL CHECK (level BETWEEN 0 AND 6),
    index bigint NOT NULL CHECK (index >= 0),
    root bytea NOT NULL CHECK (length(root) = 32),
    hashes bytea STORAGE EXTERNAL NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, index)
);

-- What the notary is about to sign, committed before it signs: one size never gets two roots.
CREATE TABLE ledger.tree_heads (
    size bigint PRIMARY KEY CHECK (size > 0),
    root bytea NOT NULL CHECK (length(root) = 32),
    made_at bigint NOT NULL
);

-- What was signed and is published; `witnessed` tells whether the quorum of witnesses cosigned.
-- Cosignatures that came later make another edition: the same note with more lines.
CREATE TABLE ledger.checkpoints (
    size bigint NOT NULL CHECK (size > 0),
    note bytea NOT NULL,
    witnessed boolean NOT NULL,
    published_at bigint NOT NULL,
    edition smallint NOT NULL CHECK (edition > 0),
    PRIMARY KEY (size, edition)
);

-- Personal values outside the log, each with the salt of the commitment that the event's body
-- holds (docs/decisions/0011). The only table of facts from which rows are deleted, by erasure.
CREATE TABLE ledger.annex (
    region int NOT NULL,
    log bigint NOT NULL,
    command_id uuid NOT NULL,
    field text NOT NULL,
    salt bytea NOT NULL CHECK (length(salt) = 32),
    value text NOT NULL,
    PRIMARY KEY (region, command_id, field)
) WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);

CREATE INDEX annex_value ON ledger.annex (value);

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
    e.kind::text AS topic,
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
