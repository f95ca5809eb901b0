-- Facts of one budget's transfers, told by either side, as known at a sequence.
SELECT
    c.sequence AS applied, f.sequence, f.kind, f.transfer, f.payer, f.receiver, f.side,
    f.amount_minor, f.purpose, f.act, f.effective_from, f.adopted_on
FROM transfers.checkpoint AS c
LEFT JOIN transfers.facts AS f
    ON (f.payer = $1 OR f.receiver = $1)
    AND ($2::date IS NULL OR f.adopted_on <= $2)
    AND ($3::bigint IS NULL OR f.sequence <= $3)
ORDER BY f.sequence
