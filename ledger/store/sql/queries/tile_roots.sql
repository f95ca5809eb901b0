-- The roots of $3 full tiles of level $1 from index $2 on: a partial tile of the level above.
SELECT string_agg(root, ''::bytea ORDER BY index) AS hashes
FROM ledger.tiles
WHERE level = $1 AND index >= $2 AND index < $2 + $3
