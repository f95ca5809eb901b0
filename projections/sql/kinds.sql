-- The kinds of a span's events, of those that a control flagged apart. In canonical JSON the
-- bytes `"flags":[` can only be the field itself: inside a text a quotation mark has a backslash.
SELECT e.kind::text, position('"flags":['::bytea IN e.body) > 0 AS flagged
FROM projections.moved($1, $2, $3, $4, $5) AS m
INNER JOIN ledger.events AS e
    ON e.region = m.region AND e.log = m.log AND e.year = m.year
    AND e.position >= m.first AND e.position <= m.last
GROUP BY e.kind, 2
