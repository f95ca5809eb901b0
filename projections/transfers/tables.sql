-- What acts say of transfers, and the money that moved: one row a fact of one budget.
CREATE TABLE facts (
    region int NOT NULL,
    log bigint NOT NULL,
    sequence bigint NOT NULL,
    kind text NOT NULL,
    transfer text NOT NULL,
    payer text NOT NULL,
    receiver text NOT NULL,
    side text NOT NULL,
    amount_minor bigint NOT NULL,
    purpose text,
    act text,
    effective_from date NOT NULL,
    adopted_on date NOT NULL,
    PRIMARY KEY (region, log, sequence)
);
CREATE INDEX facts_payer ON facts (payer);
CREATE INDEX facts_receiver ON facts (receiver);
