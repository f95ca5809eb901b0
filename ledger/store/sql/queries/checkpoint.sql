-- The newest published checkpoint, or the one of size $1; its last edition.
SELECT h.size, h.root, c.note, c.witnessed, c.published_at
FROM ledger.checkpoints AS c
INNER JOIN ledger.tree_heads AS h ON h.size = c.size
WHERE $1::bigint IS NULL OR c.size = $1
ORDER BY c.size DESC, c.edition DESC
LIMIT 1
