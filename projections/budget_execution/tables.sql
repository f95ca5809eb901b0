-- Sums of the typed columns by line, effective day, plan month and day of adoption, in minor
-- units. `month` is -infinity where an amount belongs to no month.
CREATE TABLE sums (
    region int NOT NULL,
    log bigint NOT NULL,
    line int NOT NULL,
    effective_from date NOT NULL,
    month date NOT NULL,
    adopted_on date NOT NULL,
    approved bigint NOT NULL,
    amended bigint NOT NULL,
    adjusted bigint NOT NULL,
    plan_receipts bigint NOT NULL,
    plan_commitments bigint NOT NULL,
    plan_payments bigint NOT NULL,
    accepted bigint NOT NULL,
    executed bigint NOT NULL,
    on_contracts bigint NOT NULL,
    PRIMARY KEY (region, log, line, effective_from, month, adopted_on)
);

-- What documents call a line or a total; the latest adopted, then recorded, speaks.
CREATE TABLE titles (
    region int NOT NULL,
    log bigint NOT NULL,
    sequence bigint NOT NULL,
    path text [] NOT NULL,
    adopted_on date NOT NULL,
    title text NOT NULL,
    PRIMARY KEY (region, log, sequence, path)
);

-- Events that a control in the mode "warn" flagged.
CREATE TABLE warnings (
    region int NOT NULL,
    log bigint NOT NULL,
    sequence bigint NOT NULL,
    position bigint NOT NULL,
    kind text NOT NULL,
    line int,
    contract text,
    effective_from date NOT NULL,
    adopted_on date NOT NULL,
    flags text [] NOT NULL,
    PRIMARY KEY (region, log, sequence)
);
