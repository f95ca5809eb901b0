-- All sequenced documents that name lines and hold a title. In canonical JSON the bytes `"title":"`
-- can only be the field itself: inside a text a quotation mark has a backslash. OFFSET 0 keeps the
-- places apart: few documents pass the test, mostly none.
SELECT s.sequence, d.region, d.log, d.adopted_on, d.body
FROM (
    SELECT e.region, e.log, e.position, e.adopted_on, e.body
    FROM ledger.events AS e
    WHERE e.kind IN ('budget.approved', 'budget.amended')
        AND position('"title":"'::bytea IN e.body) > 0
    OFFSET 0
) AS d
INNER JOIN ledger.sequenced AS q ON q.region = d.region AND q.log = d.log
INNER JOIN (
    SELECT
        generate_series(t.first_sequence, t.last_sequence) AS sequence, unnest(t.logs) AS number,
        unnest(t.positions) AS position
    FROM ledger.steps AS t
) AS s ON s.number = q.number AND s.position = d.position
