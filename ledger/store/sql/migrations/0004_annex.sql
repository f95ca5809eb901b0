-- Migration 0004: the erasable annex of personal data (docs/decisions/0011).
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
