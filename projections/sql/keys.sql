-- The primary keys of tables of the version in use.
SELECT c.conrelid::regclass::text AS of, c.conname AS name, pg_get_constraintdef(c.oid) AS shape
FROM unnest($1::text []) AS t (name)
INNER JOIN pg_constraint AS c ON c.conrelid = to_regclass(t.name) AND c.contype = 'p'
