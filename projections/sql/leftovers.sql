-- Versions that nobody needs: unfinished ones, and all old ones but the last.
SELECT v.schema
FROM projections.versions AS v
WHERE v.name = $1 AND (
    v.state = 'building' OR (v.state = 'old' AND v.number < (
        SELECT max(o.number) FROM projections.versions AS o
        WHERE o.name = $1 AND o.state = 'old'
    ))
)
