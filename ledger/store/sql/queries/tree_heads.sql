-- Every head and every published note by size; one without the other where it stands alone.
SELECT coalesce(h.size, c.size) AS size, h.root, c.note
FROM ledger.tree_heads AS h
FULL JOIN ledger.checkpoints AS c ON c.size = h.size
ORDER BY 1
