-- Sequences and heads against the events.
SELECT 'sequence-gap' AS code, 'sequence ' || (s.sequence + 1) || ' is missing' AS message,
    NULL::text AS budget, NULL::bigint AS position
FROM (
    SELECT sequence, lead(sequence) OVER (ORDER BY sequence) AS following FROM ledger.sequences
) AS s
WHERE s.following <> s.sequence + 1
UNION ALL
SELECT 'sequence-gap', 'the first sequence is ' || min(sequence), NULL, NULL
FROM ledger.sequences
HAVING min(sequence) <> 1
UNION ALL
SELECT 'event-missing', 'the sequence ' || s.sequence || ' has no event', h.code, s.position
FROM ledger.sequences AS s
LEFT JOIN ledger.heads AS h ON h.region = s.region AND h.log = s.log
LEFT JOIN ledger.events AS e
    ON e.region = s.region AND e.log = s.log AND e.position = s.position
WHERE e.position IS NULL OR h.log IS NULL
UNION ALL
SELECT 'not-sequenced', 'the event has no sequence though the log is sequenced further',
    h.code, e.position
FROM ledger.events AS e
INNER JOIN ledger.sequenced AS d ON d.region = e.region AND d.log = e.log
LEFT JOIN ledger.heads AS h ON h.region = e.region AND h.log = e.log
LEFT JOIN ledger.sequences AS s
    ON s.region = e.region AND s.log = e.log AND s.position = e.position
WHERE e.position <= d.position AND s.sequence IS NULL
UNION ALL
SELECT 'head-missing', 'events of a log without a head', NULL, min(e.position)
FROM ledger.events AS e
LEFT JOIN ledger.heads AS h ON h.region = e.region AND h.log = e.log
WHERE h.log IS NULL
GROUP BY e.region, e.log
UNION ALL
SELECT 'rulebook-differs', 'the rulebook stands at ' || coalesce(max(h.position), 0)
    || ', appends compare ' || max(r.position), 'rulebook', NULL
FROM ledger.rulebook AS r
LEFT JOIN ledger.heads AS h ON h.code = 'rulebook'
HAVING coalesce(max(h.position), 0) <> max(r.position)
