-- How far each live projection is, with the budgets it has parked, at one instant: parking moves
-- both.
SELECT a.name, a.sequence, p.budget, p.applied
FROM (
    SELECT 'budget_execution' AS name, c.sequence FROM budget_execution.checkpoint AS c
    UNION ALL
    SELECT 'transfers' AS name, c.sequence FROM transfers.checkpoint AS c
    UNION ALL
    SELECT 'special_accounts' AS name, c.sequence FROM special_accounts.checkpoint AS c
    UNION ALL
    SELECT 'audit_trail' AS name, c.sequence FROM audit_trail.checkpoint AS c
) AS a
LEFT JOIN projections.versions AS v ON v.name = a.name AND v.state = 'live'
LEFT JOIN projections.parked AS p ON p.schema = v.schema
