-- Whether committed events wait for their sequence.
SELECT (SELECT coalesce(sum(position), 0) FROM ledger.heads)
    > (SELECT coalesce(max(last_sequence), 0) FROM ledger.steps) AS waiting
