-- Parked budgets of the live versions.
SELECT v.name, p.budget, p.applied, p.error, p.parked_at
FROM projections.parked AS p
INNER JOIN projections.versions AS v ON v.schema = p.schema AND v.state = 'live'
ORDER BY v.name, p.budget
