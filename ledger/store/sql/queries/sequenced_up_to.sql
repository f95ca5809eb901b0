-- The last sequence of the ledger.
SELECT coalesce(max(last_sequence), 0)::bigint AS sequence FROM ledger.steps
