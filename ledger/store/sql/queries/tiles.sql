-- Full tiles by level and index.
SELECT t.level, t.index, t.root, t.hashes
FROM unnest($1::smallint[], $2::bigint[]) AS w (level, index)
INNER JOIN ledger.tiles AS t ON t.level = w.level AND t.index = w.index
