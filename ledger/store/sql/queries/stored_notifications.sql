-- Sequenced events after a sequence up to another one, of all kinds ($3 is NULL) or of some.
SELECT notification_id AS id, originator_id, originator_version, topic, state
FROM ledger.stored_events
WHERE notification_id > $1 AND notification_id <= $2
    AND ($3::text[] IS NULL OR topic = ANY ($3))
ORDER BY notification_id
LIMIT $4
