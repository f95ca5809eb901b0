-- The last sequence of the ledger: `notification_id` of the view, without joining it.
SELECT max(last_sequence) AS notification_id FROM ledger.steps
