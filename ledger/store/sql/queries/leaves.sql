-- The leaves of the events with sequences above $1 up to $2, by tile: how many, the first and last
-- sequence, their RFC 6962 hashes in a row and, where $3, their bytes. THE query through which
-- the tree reads sequenced events. The JSON is that of `Leaf.encode` (ledger/proofs/leaf.py).
SELECT
    l.tile, count(*) AS many, min(l.sequence) AS first, max(l.sequence) AS last,
    string_agg(sha256('\x00'::bytea || l.leaf), ''::bytea ORDER BY l.sequence) AS hashes,
    array_agg(l.leaf ORDER BY l.sequence) FILTER (WHERE $3) AS leaves
FROM (
    SELECT
        s.sequence, (s.sequence - 1) / 256 AS tile,
        convert_to(
            '{"body":"' || encode(sha256(e.body), 'hex') || '","chain":"' || encode(e.hash, 'hex')
            || '","kind":"' || e.kind::text || '","log":"' || h.code || '","position":' || s.position
            || ',"recorded_at":' || e.recorded_at || ',"v":1}', 'UTF8'
        ) AS leaf
    FROM ledger.places($1, $2) AS s
    INNER JOIN ledger.heads AS h ON h.region = s.region AND h.log = s.log
    CROSS JOIN LATERAL (
        SELECT v.kind, v.recorded_at, v.hash, v.body FROM ledger.events AS v
        WHERE v.region = s.region AND v.log = s.log AND v.position = s.position
            AND v.year = h.year
        OFFSET 0
    ) AS e
    OFFSET 0
) AS l
GROUP BY l.tile
ORDER BY l.tile
