-- Bodies of one log in order of position.
SELECT position, hash, body
FROM ledger.events
WHERE region = $1 AND log = $2 AND year = $3 AND position > $4
ORDER BY position
LIMIT $5
