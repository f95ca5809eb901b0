-- The live version of a projection.
SELECT v.schema, v.fingerprint
FROM projections.versions AS v
WHERE v.name = $1 AND v.state = 'live'
