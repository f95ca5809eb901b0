-- Migration 0002: the tree over all sequenced events, its signed heads (docs/decisions/0010).
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
