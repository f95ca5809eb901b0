-- The next free number of a projection's versions.
SELECT coalesce(max(v.number), 0) + 1 FROM projections.versions AS v WHERE v.name = $1
