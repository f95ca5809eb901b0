-- The last sequence published by a moment (microseconds since 1970 UTC); steps rise in both.
SELECT coalesce((
    SELECT s.last_sequence FROM ledger.steps AS s
    WHERE s.published_at <= $1
    ORDER BY s.last_sequence DESC
    LIMIT 1
), 0)
