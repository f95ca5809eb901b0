-- Which sequences positions of budgets have, in the order asked. Who waits mostly asks for the
-- last position, which stands in the log's last step; an older one is searched for.
SELECT h.code IS NOT NULL AS open, coalesce(
    t.first_sequence - 1 + n.found[w.position - t.positions[n.found[1]] + 1], (
        SELECT s.sequence
        FROM ledger.log_places(h.region, h.log, w.position, w.position) AS s
        WHERE w.position < t.positions[n.found[1]]
    )
) AS sequence
FROM unnest($1::text [], $2::bigint []) WITH ORDINALITY AS w (code, position, n)
LEFT JOIN ledger.heads AS h ON h.code = w.code
LEFT JOIN ledger.sequenced AS d
    ON d.region = h.region AND d.log = h.log AND d.position >= w.position
LEFT JOIN ledger.steps AS t ON t.last_sequence = d.step
LEFT JOIN LATERAL (SELECT array_positions(t.logs, d.number) AS found) AS n ON true
ORDER BY w.n
