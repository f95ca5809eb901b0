-- Whether a version has another shape than the live one.
SELECT n.fingerprint <> l.fingerprint
FROM projections.versions AS n
INNER JOIN projections.versions AS l ON l.name = n.name AND l.state = 'live'
WHERE n.name = $1 AND n.schema = $2
