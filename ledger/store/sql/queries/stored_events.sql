-- Events of one log in the layout of the `eventsourcing` library, oldest first: what the view
-- `ledger.stored_events` shows, without the search for sequences that nobody asks for here.
SELECT h.code AS originator_id, e.position AS originator_version, e.kind::text AS topic, e.body AS state
FROM ledger.heads AS h
INNER JOIN ledger.sequenced AS d ON d.region = h.region AND d.log = h.log
INNER JOIN ledger.events AS e ON e.region = h.region AND e.log = h.log AND e.year = h.year
    AND e.position > $2 AND e.position <= $3 AND e.position <= d.position
WHERE h.code = $1
ORDER BY e.position
LIMIT $4
