-- Whether a version, the live one unless another is named, has the fingerprint of this release.
SELECT fingerprint = $3 FROM projections.versions
WHERE name = $1 AND (schema = $2 OR $2::text IS NULL AND state = 'live')
