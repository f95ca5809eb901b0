-- Sequences and heads against the events. Every sequenced event's place is unfolded once.
WITH steps AS (
    SELECT t.*, t.last_sequence - cardinality(t.logs) AS before,
        coalesce(lag(t.last_sequence) OVER (ORDER BY t.last_sequence), 0) AS wanted,
        lag(t.published_at) OVER (ORDER BY t.last_sequence) AS earlier
    FROM ledger.steps AS t
), places AS MATERIALIZED (
    SELECT t.first_sequence + u.n - 1 AS sequence, t.last_sequence AS step, u.number, u.position,
        lag(u.position) OVER (PARTITION BY u.number ORDER BY t.first_sequence + u.n) AS earlier
    FROM steps AS t
    CROSS JOIN LATERAL unnest(t.logs, t.positions) WITH ORDINALITY AS u (number, position, n)
), logs AS (
    SELECT number, max(position) AS position, max(step) AS step FROM places GROUP BY number
), firsts AS (
    SELECT number, min(position) AS position, min(sequence) AS sequence, min(step) AS step
    FROM places GROUP BY number, step >> 17
)
SELECT 'sequence-gap' AS code, 'sequence ' || (wanted + 1) || ' is missing' AS message,
    NULL::text AS budget, NULL::bigint AS position
FROM steps WHERE greatest(before, first_sequence - 1) > wanted
UNION ALL
SELECT 'sequence-repeated', 'sequences up to ' || wanted || ' stand in two steps', NULL, NULL
FROM steps WHERE least(before, first_sequence - 1) < wanted
    OR cardinality(positions) <> cardinality(logs)
UNION ALL
SELECT 'step-time', 'the step up to sequence ' || last_sequence
    || ' is published before the one before it', NULL, NULL
FROM steps WHERE published_at < earlier
UNION ALL
SELECT 'sequence-order', 'the sequence ' || p.sequence || ' goes back in its log', h.code,
    p.position
FROM places AS p
LEFT JOIN ledger.sequenced AS d ON d.number = p.number
LEFT JOIN ledger.heads AS h ON h.region = d.region AND h.log = d.log
WHERE p.position <= p.earlier
UNION ALL
SELECT 'event-missing', 'the sequence ' || p.sequence || ' has no event', h.code, p.position
FROM places AS p
LEFT JOIN ledger.sequenced AS d ON d.number = p.number
LEFT JOIN ledger.heads AS h ON h.region = d.region AND h.log = d.log
LEFT JOIN ledger.events AS e
    ON e.region = d.region AND e.log = d.log AND e.position = p.position AND e.year = h.year
WHERE e.position IS NULL OR h.log IS NULL
UNION ALL
SELECT 'not-sequenced', 'the event has no sequence though the log is sequenced further',
    h.code, e.position
FROM ledger.events AS e
INNER JOIN ledger.sequenced AS d ON d.region = e.region AND d.log = e.log
LEFT JOIN ledger.heads AS h ON h.region = e.region AND h.log = e.log
LEFT JOIN places AS p ON p.number = d.number AND p.position = e.position
WHERE e.position <= d.position AND p.sequence IS NULL
UNION ALL
SELECT 'sequenced-differs', 'the log is said to be sequenced to ' || d.position || ' by step '
    || d.step || ', the steps say ' || coalesce(l.position, 0) || ' and ' || coalesce(l.step, -1),
    h.code, d.position
FROM ledger.sequenced AS d
LEFT JOIN ledger.heads AS h ON h.region = d.region AND h.log = d.log
LEFT JOIN logs AS l ON l.number = d.number
WHERE (d.position, d.step) <> (coalesce(l.position, 0), coalesce(l.step, -1))
UNION ALL
SELECT 'landmark-differs', 'the landmark is not the first place in its stretch of sequences',
    h.code, coalesce(m.position, f.position)
FROM (
    SELECT d.region, d.log, o.position, o.sequence, o.step
    FROM firsts AS o
    INNER JOIN ledger.sequenced AS d ON d.number = o.number
) AS f
FULL JOIN ledger.landmarks AS m ON m.region = f.region AND m.log = f.log
    AND m.position = f.position
LEFT JOIN ledger.heads AS h
    ON h.region = coalesce(m.region, f.region) AND h.log = coalesce(m.log, f.log)
WHERE (m.sequence, m.step) IS DISTINCT FROM (f.sequence, f.step)
UNION ALL
SELECT 'head-missing', 'events of a log without a head', NULL, min(e.position)
FROM ledger.events AS e
LEFT JOIN ledger.heads AS h ON h.region = e.region AND h.log = e.log
WHERE h.log IS NULL
GROUP BY e.region, e.log
UNION ALL
SELECT 'year-differs', 'the event stands in the year ' || e.year || ', its log in ' || h.year,
    h.code, e.position
FROM ledger.events AS e
INNER JOIN ledger.heads AS h ON h.region = e.region AND h.log = e.log AND h.year <> e.year
UNION ALL
SELECT 'rulebook-differs', 'the rulebook stands at ' || coalesce(max(h.position), 0)
    || ', appends compare ' || max(r.position), 'rulebook', NULL
FROM ledger.rulebook AS r
LEFT JOIN ledger.heads AS h ON h.code = 'rulebook'
HAVING coalesce(max(h.position), 0) <> max(r.position)
