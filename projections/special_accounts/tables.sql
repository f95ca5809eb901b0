-- Movements of treasury special accounts, in minor units; opening and closing move zero.
CREATE TABLE movements (
    region int NOT NULL,
    log bigint NOT NULL,
    account text NOT NULL,
    sequence bigint NOT NULL,
    position bigint NOT NULL,
    kind text NOT NULL,
    value_date date NOT NULL,
    recorded_at bigint NOT NULL,
    amount_minor bigint NOT NULL,
    command_id uuid NOT NULL,
    PRIMARY KEY (region, log, account, sequence)
);
