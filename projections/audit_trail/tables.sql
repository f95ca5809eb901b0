-- One row an event: who, what, when, by which act, why, and the figures before and after.
CREATE TABLE rows (
    region int NOT NULL,
    log bigint NOT NULL,
    sequence bigint NOT NULL,
    position bigint NOT NULL,
    budget text NOT NULL,
    kind text NOT NULL,
    recorded_at bigint NOT NULL,
    actor text,
    capacity text,
    act text,
    act_article text,
    act_date date,
    reason text,
    source text,
    line text [],
    contract text,
    account text,
    effective_from date NOT NULL,
    adopted_on date NOT NULL,
    month date,
    changes jsonb NOT NULL,
    refused text,
    flags text [] NOT NULL,
    command_id uuid NOT NULL,
    PRIMARY KEY (region, log, sequence)
);
CREATE INDEX rows_sequence ON rows (sequence);
CREATE INDEX rows_line ON rows (budget, line, sequence);
CREATE INDEX rows_contract ON rows (contract, sequence) WHERE contract IS NOT NULL;
CREATE INDEX rows_account ON rows (account, sequence) WHERE account IS NOT NULL;
CREATE INDEX rows_actor ON rows (actor, sequence);
CREATE INDEX rows_act ON rows (act, sequence);
CREATE INDEX rows_command ON rows (command_id);

-- What the figures of a line ("line"), contract, account or of the cash ("cash") add up to.
CREATE TABLE totals (
    region int NOT NULL,
    log bigint NOT NULL,
    subject text NOT NULL,
    key text NOT NULL,
    measure text NOT NULL,
    minor bigint NOT NULL,
    PRIMARY KEY (region, log, subject, key, measure)
);
