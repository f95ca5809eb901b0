-- Events of one log in the layout of the `eventsourcing` library, newest first.
SELECT originator_id, originator_version, topic, state
FROM ledger.stored_events
WHERE originator_id = $1 AND originator_version > $2 AND originator_version <= $3
ORDER BY originator_version DESC
LIMIT $4
