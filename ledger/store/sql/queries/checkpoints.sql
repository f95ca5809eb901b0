-- Published checkpoints above size $1, the last edition of each.
SELECT DISTINCT ON (h.size) h.size, h.root, c.note, c.witnessed, c.published_at
FROM ledger.checkpoints AS c
INNER JOIN ledger.tree_heads AS h ON h.size = c.size
WHERE c.size > $1
ORDER BY h.size, c.edition DESC
LIMIT $2
