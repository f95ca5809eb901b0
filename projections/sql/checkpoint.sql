-- The last sequence that the version has applied; it moves in the transaction of the step.
CREATE TABLE checkpoint (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    sequence bigint NOT NULL
);
INSERT INTO checkpoint (sequence) VALUES (0);
