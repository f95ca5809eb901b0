-- Lines, contracts and payments by name.
SELECT c.log, c.kind, c.key, c.number, c.content
FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[]) AS w (region, log, kind, key)
INNER JOIN ledger.cells AS c
    ON c.region = w.region AND c.log = w.log AND c.kind = w.kind AND c.key = w.key
