-- A budget's lines after a number, below a prefix.
SELECT l.line, l.path
FROM ledger.lines AS l
WHERE l.region = $1 AND l.log = $2 AND l.line > $3
    AND ($4::text [] = '{}' OR l.path[1:cardinality($4)] = $4)
ORDER BY l.line
LIMIT $5
