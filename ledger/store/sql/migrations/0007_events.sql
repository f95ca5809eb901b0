-- Migration 0007: fewer bytes an event on disk (docs/decisions/0008). The events are written anew:
-- kinds as an enumeration, columns by alignment, the year second in the key, and one entry a command
-- instead of one an event in the index of commands. Bodies, hashes and all values stay what they are.
DROP FUNCTION IF EXISTS ledger.append;
DROP VIEW ledger.stored_events;
CREATE SCHEMA ledger_before_0007;
ALTER TABLE ledger.events SET SCHEMA ledger_before_0007;
-- A partition does not follow its table. All go before the new table is made: names of constraints
-- are chosen in sight of the old ones.
DO $do$
DECLARE
    old regclass;
BEGIN
    FOR old IN SELECT inhrelid FROM pg_inherits
        WHERE inhparent = 'ledger_before_0007.events'::regclass
    LOOP
        EXECUTE format('ALTER TABLE %s SET SCHEMA ledger_before_0007', old);
    END LOOP;
END
$do$;

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

-- Partitions are made by the functions of the release that made the old ones: a database with
-- events has them, and a new one has neither.
DO $do$
DECLARE
    old regclass;
BEGIN
    FOR old IN SELECT inhrelid FROM pg_inherits
        WHERE inhparent = 'ledger_before_0007.events'::regclass
    LOOP
        PERFORM ledger.guard_table('events');
        PERFORM ledger.ensure_year(substring(old::text FROM '[0-9]+$')::int);
    END LOOP;
END
$do$;

INSERT INTO ledger.events (
    log, position, recorded_at, region, kind, effective_from, adopted_on, year, n, command_id,
    line, month, peer_region, approved, amended, adjusted, plan_receipts, plan_commitments,
    plan_payments, accepted, executed, cash, peer_log, peer_position, payment, contract,
    account, hash, body
)
SELECT
    log, position, recorded_at, region, kind::ledger.kind, effective_from, adopted_on, year,
    least(n, 32767), command_id, line, month, peer_region, approved, amended, adjusted, plan_receipts,
    plan_commitments, plan_payments, accepted, executed, cash, peer_log, peer_position,
    payment, contract, account, hash, body
FROM ledger_before_0007.events;
ANALYZE ledger.events;

-- Without CASCADE: where somebody's own view reads the old table, the migration stops and names it.
DROP TABLE ledger_before_0007.events;
DROP SCHEMA ledger_before_0007;

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
