-- Keep full tiles, or the head that is about to be signed.
SELECT ledger.grow_tree($1, $2, $3, $4, $5, $6, $7)
