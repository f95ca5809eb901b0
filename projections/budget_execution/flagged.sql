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
FROM projections.placed($1, $2, $3, $4, $5) AS s
CROSS JOIN LATERAL (
    SELECT * FROM ledger.events AS v
    WHERE v.region = s.region AND v.year = s.year AND v.log = s.log AND v.position = s.position
        AND position('"flags":['::bytea IN v.body) > 0
    OFFSET 0
) AS e
