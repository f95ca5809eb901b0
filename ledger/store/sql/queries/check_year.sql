-- Everything stored of the logs of a year in the order of the key; what stands in another year than
-- its log is found by check_places.sql. From `kind` on the columns copy what the body says.
SELECT
    region, log, position, hash, body, kind::text, command_id, n, recorded_at, effective_from,
    adopted_on, month, line, contract, payment, account, peer_region, peer_log, peer_position,
    approved, amended, adjusted, plan_receipts, plan_commitments, plan_payments, accepted,
    executed, cash
FROM ledger.events
WHERE year = $1
ORDER BY region, log, position
