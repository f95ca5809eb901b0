-- A budget's last position that has a sequence up to $3.
SELECT ledger.position_at($1, $2, $3)
