-- Fold a span by the version's own function.
SELECT fold($1, $2, $3, $4, $5, $6::text []::ledger.kind [])
