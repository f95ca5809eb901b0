-- Personal values that belong to no event of their log, or to a field it does not commit to.
SELECT a.command_id, a.field
FROM ledger.annex AS a
WHERE NOT EXISTS (
    SELECT 1 FROM ledger.events AS e
    WHERE e.region = a.region AND e.log = a.log AND e.command_id = a.command_id AND e.n = 0
        AND convert_from(e.body, 'UTF8')::jsonb #> ARRAY['command', 'annex', a.field] IS NOT NULL
)
ORDER BY a.command_id, a.field
