-- How far each live projection is with one budget.
SELECT a.name, coalesce(a.applied, a.sequence) AS sequence, a.applied IS NOT NULL AS parked
FROM (
    SELECT 'budget_execution' AS name, c.sequence, p.applied
    FROM budget_execution.checkpoint AS c
    LEFT JOIN budget_execution.parked AS p ON p.region = $1 AND p.log = $2
    UNION ALL
    SELECT 'transfers' AS name, c.sequence, p.applied
    FROM transfers.checkpoint AS c
    LEFT JOIN transfers.parked AS p ON p.region = $1 AND p.log = $2
    UNION ALL
    SELECT 'special_accounts' AS name, c.sequence, p.applied
    FROM special_accounts.checkpoint AS c
    LEFT JOIN special_accounts.parked AS p ON p.region = $1 AND p.log = $2
    UNION ALL
    SELECT 'audit_trail' AS name, c.sequence, p.applied
    FROM audit_trail.checkpoint AS c
    LEFT JOIN audit_trail.parked AS p ON p.region = $1 AND p.log = $2
) AS a
WHERE a.name = ANY ($3::text [])
