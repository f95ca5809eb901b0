-- Contracts and payments by name.
SELECT c.log, c.kind, c.key, c.number, c.content
FROM ledger.cells AS c
INNER JOIN unnest($2::bigint[], $3::text[], $4::text[]) AS w (log, kind, key)
    ON c.region = $1 AND c.log = w.log AND c.kind = w.kind AND c.key = w.key
