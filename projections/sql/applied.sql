-- How far each live projection is.
SELECT 'budget_execution' AS name, c.sequence FROM budget_execution.checkpoint AS c
UNION ALL
SELECT 'transfers' AS name, c.sequence FROM transfers.checkpoint AS c
UNION ALL
SELECT 'special_accounts' AS name, c.sequence FROM special_accounts.checkpoint AS c
UNION ALL
SELECT 'audit_trail' AS name, c.sequence FROM audit_trail.checkpoint AS c
