-- The last sequence of the ledger; max() over the view would join the whole history.
SELECT notification_id FROM ledger.stored_events ORDER BY notification_id DESC LIMIT 1
