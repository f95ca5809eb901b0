-- How many full tiles each level has, and the last index.
SELECT level, count(*) AS many, max(index) AS last FROM ledger.tiles GROUP BY level
