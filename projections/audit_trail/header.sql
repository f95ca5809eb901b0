-- The first event of a command, in the log that it was sent to.
SELECT e.body
FROM ledger.events AS e
WHERE e.region = $1 AND e.command_id = $2 AND e.log = $3 AND e.n = 0
