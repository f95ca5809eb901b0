-- Sequenced events after a sequence up to another one, of all kinds ($3 is NULL) or of some, in
-- the layout of the `eventsourcing` library. Step by step, so that LIMIT ends the reading.
SELECT
    n.sequence AS id, n.code AS originator_id, n.position AS originator_version, n.kind AS topic,
    n.body AS state
FROM (
    SELECT * FROM ledger.steps AS o
    WHERE o.last_sequence > $1 AND o.first_sequence <= $2
    ORDER BY o.last_sequence OFFSET 0
) AS t
CROSS JOIN LATERAL (
    SELECT t.first_sequence + u.n - 1 AS sequence, h.code, u.position, e.kind,
        e.body
    FROM unnest(t.logs, t.positions) WITH ORDINALITY AS u (number, position, n)
    INNER JOIN ledger.sequenced AS d ON d.number = u.number
    INNER JOIN ledger.heads AS h ON h.region = d.region AND h.log = d.log
    CROSS JOIN LATERAL (
        SELECT v.kind::text, v.body FROM ledger.events AS v
        WHERE v.region = h.region AND v.log = h.log AND v.position = u.position
            AND v.year = h.year
        OFFSET 0
    ) AS e
    WHERE t.first_sequence + u.n - 1 > $1
        AND t.first_sequence + u.n - 1 <= $2
        AND ($3::text[] IS NULL OR e.kind = ANY ($3))
    OFFSET 0
) AS n
ORDER BY t.last_sequence, n.sequence
LIMIT $4
