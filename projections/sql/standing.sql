-- What readers that wait must know, in the order asked and at one instant (parking moves two of it):
-- whether the budget is open, the sequence of its position ($3 has it where it is known already),
-- how far each live projection is, and how far those that have parked the budget.
-- Who waits mostly asks for the last position, which stands in the log's last step; an older one
-- is searched for. (`SELECT $1` hides the length of the array: with it in sight the planner makes a
-- new plan each time, for three times what the answer costs.)
SELECT
    h.code IS NOT NULL AS open,
    coalesce(w.sequence, t.first_sequence - 1 + n.found[w.position - t.positions[n.found[1]] + 1], (
        SELECT s.sequence
        FROM ledger.log_places(h.region, h.log, w.position, w.position) AS s
        WHERE w.position < t.positions[n.found[1]]
    )) AS sequence,
    ARRAY[
        (SELECT c.sequence FROM budget_execution.checkpoint AS c),
        (SELECT c.sequence FROM transfers.checkpoint AS c),
        (SELECT c.sequence FROM special_accounts.checkpoint AS c),
        (SELECT c.sequence FROM audit_trail.checkpoint AS c)
    ] AS applied,
    ARRAY[
        (
            SELECT p.applied FROM budget_execution.parked AS p
            WHERE p.region = h.region AND p.log = h.log
        ),
        (
            SELECT p.applied FROM transfers.parked AS p
            WHERE p.region = h.region AND p.log = h.log
        ),
        (
            SELECT p.applied FROM special_accounts.parked AS p
            WHERE p.region = h.region AND p.log = h.log
        ),
        (
            SELECT p.applied FROM audit_trail.parked AS p
            WHERE p.region = h.region AND p.log = h.log
        )
    ] AS parked
FROM unnest((SELECT $1::text []), (SELECT $2::bigint []), (SELECT $3::bigint []))
    WITH ORDINALITY AS w (code, position, sequence, n)
LEFT JOIN ledger.heads AS h ON h.code = w.code
LEFT JOIN ledger.sequenced AS d
    ON w.sequence IS NULL AND d.region = h.region AND d.log = h.log AND d.position >= w.position
LEFT JOIN ledger.steps AS t ON t.last_sequence = d.step
LEFT JOIN LATERAL (SELECT array_positions(t.logs, d.number) AS found) AS n ON true
ORDER BY w.n
