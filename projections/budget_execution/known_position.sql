-- A budget's last position that has a sequence up to $3; in a log, sequence follows position.
SELECT coalesce((
    SELECT s.position FROM ledger.sequences AS s
    WHERE s.region = $1 AND s.log = $2 AND s.sequence <= $3
    ORDER BY s.position DESC
    LIMIT 1
), 0)
