-- Which sequences positions of budgets have, in the order asked.
SELECT h.code IS NOT NULL AS open, s.sequence
FROM unnest($1::text [], $2::bigint []) WITH ORDINALITY AS w (code, position, n)
LEFT JOIN ledger.heads AS h ON h.code = w.code
LEFT JOIN ledger.sequences AS s
    ON s.region = h.region AND s.log = h.log AND s.position = w.position
ORDER BY w.n
