-- What an auditor remembers beside the last checkpoint: one value a key, by log ('' = the tree).
CREATE TABLE IF NOT EXISTS memory (
    log text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (log, key)
) WITHOUT ROWID
