-- The cells of one log.
SELECT kind, key, number, adjusted, plan_receipts, plan_commitments, plan_payments, accepted,
    executed, cash, guards, tolerance, content
FROM ledger.cells
WHERE region = $1 AND log = $2
