-- Tables of facts and partitions without their ENABLE ALWAYS triggers.
SELECT c.relname AS name, w.missing
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace AND s.nspname = 'ledger'
CROSS JOIN (VALUES ('keep_rows', 'UPDATE and DELETE'), ('keep_table', 'TRUNCATE'))
    AS w (trigger, missing)
WHERE (c.relname IN ('events', 'lines', 'steps', 'landmarks', 'tiles', 'tree_heads', 'checkpoints') OR c.relispartition AND c.relkind = 'r')
    AND NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_trigger AS t
        WHERE t.tgrelid = c.oid AND t.tgname = w.trigger AND t.tgenabled = 'A'
    )
