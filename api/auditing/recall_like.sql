-- A log's remembered values whose key begins with a text.
SELECT m.key, m.value FROM memory AS m
WHERE m.log = ? AND m.key >= ? AND m.key < ? || char(1114111)
ORDER BY m.key
