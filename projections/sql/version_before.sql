-- The version that the live one replaced last.
SELECT v.schema
FROM projections.versions AS v
WHERE v.name = $1 AND v.state = 'old'
ORDER BY v.number DESC
LIMIT 1
