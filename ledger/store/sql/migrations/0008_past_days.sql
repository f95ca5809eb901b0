-- What a posting writes of a cell no longer grows with the days of the year. A cell that is stored
-- whole stays so until its next posting on a new day.

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

DROP FUNCTION IF EXISTS ledger.append;
