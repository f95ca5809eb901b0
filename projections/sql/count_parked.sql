-- How many budgets each live projection has parked.
SELECT v.name, count(p.log) AS budgets
FROM projections.versions AS v
LEFT JOIN projections.parked AS p ON p.schema = v.schema
WHERE v.state = 'live'
GROUP BY v.name
