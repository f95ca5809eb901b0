-- The cells of some logs.
SELECT region, log, kind, key, number, adjusted, plan_receipts, plan_commitments, plan_payments,
    accepted, executed, cash, guards, tolerance, content
FROM ledger.cells
INNER JOIN unnest($1::int [], $2::bigint []) AS t (region, log) USING (region, log)
