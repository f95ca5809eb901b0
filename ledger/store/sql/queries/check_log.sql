-- Everything stored of one log in its year; what stands in another is found by check_places.sql.
SELECT *
FROM ledger.events
WHERE region = $1 AND year = $2 AND log = $3
ORDER BY position
