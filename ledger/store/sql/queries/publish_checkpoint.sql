-- Publish a signed head.
SELECT ledger.publish_checkpoint($1, $2, $3, $4)
