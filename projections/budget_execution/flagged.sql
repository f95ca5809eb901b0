-- Keep the flagged events of a span. In canonical JSON the bytes `"flags":[` can only be the
-- field itself: inside a text a quotation mark is written with a backslash.
INSERT INTO warnings (
    region, log, sequence, position, kind, line, contract, effective_from, adopted_on, flags
)
SELECT
    e.region, e.log, s.sequence, e.position, e.kind, e.line, e.contract, e.effective_from,
    e.adopted_on,
    ARRAY(
        SELECT jsonb_array_elements_text(convert_from(e.body, 'UTF8')::jsonb -> 'flags')
    )
FROM projections.moved($1, $2, $3, $4, $5) AS m
INNER JOIN ledger.events AS e
    ON e.region = m.region AND e.log = m.log AND e.year = m.year
    AND e.position >= m.first AND e.position <= m.last
INNER JOIN projections.placed($2, $3, $4, $5) AS s
    ON s.region = e.region AND s.log = e.log AND s.position = e.position
WHERE position('"flags":['::bytea IN e.body) > 0
