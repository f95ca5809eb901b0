-- Heads with the cells that every decision on a log may need: the budget, its accounts, exemptions.
SELECT
    h.region, h.log, h.code, h.year, h.position, h.hash, h.recorded_at,
    c.kind, c.key, c.number, c.content
FROM unnest($1::int[], $2::bigint[]) AS w (region, log)
INNER JOIN ledger.heads AS h ON h.region = w.region AND h.log = w.log
LEFT JOIN ledger.cells AS c
    ON c.region = h.region AND c.log = h.log AND c.kind IN ('budget', 'account', 'exempt')
