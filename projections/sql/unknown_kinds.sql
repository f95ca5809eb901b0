-- Kinds in a span that a projection has decided nothing about.
SELECT DISTINCT e.kind
FROM projections.moved($1, $2, $3, $4, $5) AS m
INNER JOIN ledger.events AS e
    ON e.region = m.region AND e.log = m.log AND e.year = m.year
    AND e.position >= m.first AND e.position <= m.last
WHERE e.kind <> ALL ($6::text [])
