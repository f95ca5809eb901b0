-- The smaller of a sequence and the last one that is published.
SELECT least($1::bigint, coalesce(max(s.last_sequence), 0)) FROM ledger.steps AS s
