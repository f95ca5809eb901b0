-- The event of a payment by its command id.
SELECT position, body
FROM ledger.events
WHERE region = $1 AND command_id = $2 AND log = $3 AND n = 0 AND kind = 'budget.payment.executed'
