-- One account's movements with the balance after each, and the body that opened it.
SELECT
    c.sequence AS applied, m.sequence, m.position, m.kind, m.value_date, m.recorded_at,
    m.amount_minor, m.command_id, m.balance_minor, e.body
FROM special_accounts.checkpoint AS c
LEFT JOIN (
    SELECT
        t.*, sum(t.amount_minor) OVER (ORDER BY t.sequence)::bigint AS balance_minor
    FROM special_accounts.movements AS t
    WHERE t.region = $1 AND t.log = $2 AND t.account = $3
) AS m ON true
LEFT JOIN ledger.events AS e
    ON e.region = $1 AND e.log = $2 AND e.year = $4 AND e.position = m.position
    AND m.kind = 'budget.special_account.opened'
ORDER BY m.sequence
