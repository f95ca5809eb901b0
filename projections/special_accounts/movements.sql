-- Keep a span's movements of special accounts.
INSERT INTO movements (
    region, log, account, sequence, position, kind, value_date, recorded_at, amount_minor,
    command_id
)
SELECT
    e.region, e.log, e.account, s.sequence, e.position, e.kind, e.effective_from,
    e.recorded_at, coalesce(e.cash, 0), e.command_id
FROM projections.moved($1, $2, $3, $4, $5) AS m
INNER JOIN ledger.events AS e
    ON e.region = m.region AND e.log = m.log AND e.year = m.year
    AND e.position >= m.first AND e.position <= m.last
INNER JOIN projections.placed($2, $3, $4, $5) AS s
    ON s.region = e.region AND s.log = e.log AND s.position = e.position
WHERE e.account IS NOT NULL AND e.kind = ANY ($6::text [])
