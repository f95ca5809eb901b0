-- The end of the next chunk after a sequence: whole steps of at most $2 events, or one step.
SELECT coalesce(
    (
        SELECT s.last_sequence FROM ledger.steps AS s
        WHERE s.last_sequence > $1 AND s.last_sequence <= $1 + $2
        ORDER BY s.last_sequence DESC LIMIT 1
    ),
    (
        SELECT s.last_sequence FROM ledger.steps AS s
        WHERE s.last_sequence > $1
        ORDER BY s.last_sequence LIMIT 1
    )
)
